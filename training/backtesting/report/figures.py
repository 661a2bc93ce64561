"""Charts of the account: equity, drawdowns, rolling risk, exposure, turnover, costs, symbols and capacity."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from training.backtesting.chart_series import costs_by_time, drawdown, equity_band, exposure, rolling_risk
from training.backtesting.report.charts import BAND, OWN, SOFT, add_lines, colour_of, figure, label, level, stamps
from training.backtesting.report.numbers import percent
from training.backtesting.result import BacktestResult
from training.validation.backtest.simulation import Simulation

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

STRATEGY = "strategy"
_MOST_PATHS = 1_000
_MOST_SYMBOLS = 30
_LOG_FROM = 4.0
_LONGEST_NAME = 18
_FEW_MONTHS = 12


def equity(result: BacktestResult) -> Figure:
    """Return the equity of all accounts, with the bootstrap band of the strategy's."""
    part, lines = result.config.backtest, result.equities()
    ends = lines.min().min(), lines.max().max()
    is_log = ends[0] > 0 and ends[1] > _LOG_FROM * ends[0]
    drawn = figure("equity", yaxis={"type": "log", "dtick": "D2", "tickformat": "~s"} if is_log else {})
    band = equity_band(result.simulation, part.confidence, min(part.paths, _MOST_PATHS), part.seed).dropna()
    if len(band) > 1 and result.num_trades:
        few = band.iloc[np.unique(np.linspace(0, len(band) - 1, 300).astype(int))]
        line = {"width": 0}
        for column, settings in (("high", {"showlegend": False}), ("low", {"fill": "tonexty", "fillcolor": BAND})):
            name = f"{percent(part.confidence, 0)} of bootstrap histories"
            drawn.add_scatter(
                x=stamps(few.index), y=few[column], mode="lines", line=line, hoverinfo="skip", name=name, **settings
            )
    add_lines(drawn, lines, colours(result))
    return drawn


def drawdowns(result: BacktestResult) -> Figure:
    """Return the loss from the highest equity so far of the strategy and of what is bought and held."""
    drawn = figure("loss from the high", is_share=True)
    add_lines(drawn, _passive(result, drawdown(result.simulation), drawdown), colours(result), "min")
    return drawn


def rolling_sharpe(result: BacktestResult) -> Figure:
    """Return the Sharpe ratio of the past quarter of a year."""
    drawn = figure("Sharpe ratio of a quarter")
    add_lines(drawn, _rolling(result, "sharpe"), colours(result))
    level(drawn, 0.0, "")
    return drawn


def rolling_volatility(result: BacktestResult) -> Figure:
    """Return the volatility of the past quarter of a year, and the limit of the portfolio."""
    drawn = figure("volatility of a quarter", is_share=True)
    add_lines(drawn, _rolling(result, "volatility"), colours(result))
    limit = result.config.strategy.caps.volatility
    if limit is not None:
        level(drawn, limit, f"limit {percent(limit, 0)}")
    return drawn


def exposures(result: BacktestResult) -> Figure:
    """Return gross and net exposure, and the gross one of what is bought and held."""
    found = exposure(result.simulation)
    drawn = figure("share of equity", is_share=True)
    lines = pd.DataFrame({"gross": found["gross"], "net": found["net"]})
    if result.compared:
        lines[result.compared[0].title] = exposure(result.compared[0].simulation)["gross"]
    add_lines(drawn, lines, {**colours(result), "net": "var(--ochre)"})
    return drawn


def turnover(result: BacktestResult) -> Figure:
    """Return the value of trades of each month as a multiple of equity."""
    found = exposure(result.simulation)["turnover"].fillna(0.0)
    months = found.groupby(pd.DatetimeIndex(found.index).to_period("M")).sum()
    drawn = figure("traded in a month", is_share=True, showlegend=False, bargap=0.15)
    drawn.update_xaxes(type="category" if len(months) <= _FEW_MONTHS else "date")
    drawn.add_bar(x=[str(one) for one in months.index], y=months.to_numpy(), marker={"color": OWN}, name="traded")
    return drawn


def costs(result: BacktestResult) -> Figure:
    """Return the costs paid so far by kind, as shares of starting cash."""
    found = costs_by_time(result.simulation).cumsum() / result.simulation.starting_cash
    drawn = figure("costs so far", is_share=True)
    paid = found.loc[:, (found.iloc[-1].abs() > 0)]
    few = paid.iloc[np.unique(np.linspace(0, len(paid) - 1, 300).astype(int))]
    for i, name in enumerate(few.columns):
        colour = OWN if i == 0 else colour_of(i - 1)
        drawn.add_scatter(
            x=stamps(few.index), y=few[name], name=name, mode="lines", line={"color": colour, "width": 1.5}
        )
    return drawn


def contribution(result: BacktestResult) -> Figure:
    """Return the profit of each symbol after its costs as a share of starting cash, the largest at the top.

    Of many symbols, those with the largest gains and losses are shown, and the sum of the others.
    """
    own = shares(result)
    shown = shown_symbols(own)
    drawn = figure("", showlegend=True, hovermode="closest", barmode="group", yaxis={"title": None})
    drawn.update_xaxes(tickformat=",.2~%", hoverformat=",.2%", title={"text": "profit, share of starting cash"})
    names = [label(name) for name in shown.index]
    drawn.add_bar(y=names, x=shown.to_numpy(), orientation="h", name=STRATEGY, marker={"color": OWN})
    if result.compared:
        account = result.compared[0]
        theirs = account.simulation.profit_by_symbol / account.simulation.starting_cash
        other = [float(theirs.get(name, np.nan)) for name in shown.index]
        drawn.add_scatter(
            y=names, x=other, mode="markers", name=label(account.title), marker={"color": colour_of(0), "size": 8}
        )
    short = [label(shortened_name(str(name))) for name in shown.index]
    drawn.update_yaxes(autorange="reversed", type="category", tickvals=names, ticktext=short)
    return drawn.update_layout(height=max(220, 110 + 26 * len(names)))


def colours(result: BacktestResult) -> dict[str, str]:
    """Return the colour of each account that the strategy is compared with, the same in all charts."""
    return {one.title: colour_of(i) for i, one in enumerate(result.compared)}


def shortened_name(name: str) -> str:
    """Return a name that leaves room for its bar."""
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def shares(result: BacktestResult) -> pd.Series:
    """Return the profit of each symbol after its costs as a share of starting cash, the largest first."""
    found: pd.Series = result.simulation.profit_by_symbol / result.simulation.starting_cash
    return found.sort_values(ascending=False)


def shown_symbols(found: pd.Series) -> pd.Series:
    """Return the values of all symbols, or of many the ends and the sum of what is between them."""
    if len(found) <= _MOST_SYMBOLS:
        return found
    half = _MOST_SYMBOLS // 2
    middle = found.iloc[half:-half]
    rest = pd.Series({f"{len(middle)} others": middle.sum()})
    shown: pd.Series = pd.concat([found.iloc[:half], rest, found.iloc[-half:]])
    return shown


def capacity(result: BacktestResult) -> Figure:
    """Return the Sharpe ratio by the money that is traded."""
    found = result.capacity
    drawn = figure(
        "Sharpe ratio", showlegend=False, xaxis={"type": "log", "dtick": 1, "title": {"text": "starting cash"}}
    )
    drawn.update_yaxes(rangemode="tozero")
    drawn.add_scatter(
        x=found.index.to_numpy(np.float64),
        y=found["sharpe"].to_numpy(np.float64),
        mode="lines+markers",
        line={"color": OWN},
        name=STRATEGY,
    )
    drawn.add_vline(result.simulation.starting_cash, line={"color": SOFT, "dash": "dot", "width": 1})
    return drawn


def _rolling(result: BacktestResult, column: str) -> pd.DataFrame:
    year = result.bars_per_year
    return _passive(
        result, rolling_risk(result.simulation, year)[column], lambda account: rolling_risk(account, year)[column]
    )


def _passive(result: BacktestResult, own: pd.Series, of: Callable[[Simulation], pd.Series]) -> pd.DataFrame:
    """Return a series of the strategy, of what is bought and held, and of a volatility target with the EWMA."""
    names = ("buy_and_hold", "volatility_target_ewma")
    others = {one.title: of(one.simulation) for one in result.compared if one.name in names}
    return pd.DataFrame({STRATEGY: own, **others})
