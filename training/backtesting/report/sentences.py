"""What each chart of the account shows, in a sentence: the strategy's figure and interval, and buy and hold's."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from configs.words import counted
from training.backtesting.chart_series import exposure, monthly_returns, quarter, rolling_risk
from training.backtesting.report.figures import shares
from training.backtesting.report.numbers import UNKNOWN, ends_of, interval, is_ruined, number, percent
from training.backtesting.result import BacktestResult


def range_of(result: BacktestResult, metric: str, is_share: bool = False) -> str:
    """Return the bootstrap interval of a metric, in brackets; empty where it is unknown."""
    found = UNKNOWN if is_ruined(result.equity) else interval(*ends_of(result.intervals, metric), is_share)
    mass = result.config.backtest.confidence
    return "" if found == UNKNOWN else f" ({percent(mass, 0)} interval {found})"


def passive(result: BacktestResult) -> tuple[str, dict[str, float]]:
    """Return the title and the metrics of the account that buys and holds."""
    account = result.compared[0]
    return account.title, result.metrics_of(account.simulation)


def equity(result: BacktestResult) -> str:
    """Say what the money became."""
    title, theirs = passive(result)
    start, end = result.simulation.starting_cash, result.metrics["final_equity"]
    if not result.num_trades:
        return f"The strategy held nothing, so {number(start, 0)} stayed what it was; {title} {_in_all(theirs)}."
    if is_ruined(result.equity):
        return f"The strategy lost everything: {number(start, 0)} became {number(end, 0)}; {title} {_in_all(theirs)}."
    name, words = ("total_return", "in all") if _is_short(result) else ("cagr", "a year")
    return (
        f"{number(start, 0)} became {number(end, 0)}, {percent(result.metrics[name])} {words}"
        f"{range_of(result, name, True)}; {title} made {percent(theirs[name])}."
    )


def drawdowns(result: BacktestResult) -> str:
    """Say how deep the largest losses were."""
    title, theirs = passive(result)
    return (
        f"The strategy fell by at most {percent(-result.max_drawdown)}{_depth(result)}, "
        f"{title} by {percent(-theirs['max_drawdown'])}."
    )


def months(result: BacktestResult) -> str:
    """Say in how many months there was a gain, and which was the worst."""
    own = monthly_returns(result.simulation).dropna()
    account = result.compared[0]
    theirs = monthly_returns(account.simulation).dropna()
    share = float((own > 0).mean())
    error = f" ± {percent(math.sqrt(share * (1.0 - share) / len(own)), 0)}" if 0 < share < 1 else ""
    return (
        f"The strategy gained in {(own > 0).sum()} of {counted(len(own), 'month')} "
        f"({percent(share, 0)}{error}), {account.title} in {(theirs > 0).sum()}. "
        f"Its worst month was {own.idxmin()} ({percent(own.min())}), that of {account.title} {theirs.idxmin()} "
        f"({percent(theirs.min())})."
    )


def rolling_sharpe(result: BacktestResult) -> str:
    """Say that ratios of a quarter are mostly chance, and what the whole period's is."""
    title, theirs = passive(result)
    window = quarter(result.bars_per_year)
    error = math.sqrt(result.bars_per_year / window)
    if not math.isfinite(result.sharpe_ratio):
        return (
            f"The strategy's return does not vary, so it has no Sharpe ratio; {title} has {number(theirs['sharpe'])}."
        )
    return (
        f"Over {counted(window, 'bar')} a Sharpe ratio has a standard error of about {number(error, 1)}, so swings of "
        f"this size are mostly chance. Over the whole period it is {number(result.sharpe_ratio)}"
        f"{range_of(result, 'sharpe')}, that of {title} {number(theirs['sharpe'])}."
    )


def rolling_volatility(result: BacktestResult) -> str:
    """Say how large risk was, how often it was over the limit, and how much it varied."""
    title, theirs = passive(result)
    found = rolling_risk(result.simulation, result.bars_per_year)["volatility"].dropna()
    text = f"The strategy's volatility was {percent(result.volatility)}{range_of(result, 'volatility', True)}"
    text += f", that of {title} {percent(theirs['volatility'])}"
    limit = result.config.strategy.caps.volatility
    if limit is not None and len(found):
        share = percent((found > limit).mean(), 0)
        text += f"; over a quarter of a year it was above the limit of {percent(limit, 0)} in {share} of the time"
    return f"{text}. {_steadiness(result)}".strip()


def exposures(result: BacktestResult) -> str:
    """Say how much was invested on average."""
    title, theirs = passive(result)
    most = exposure(result.simulation)["gross"].max()
    return (
        f"On average {percent(result.metrics['gross_exposure'], 0)} of equity was in the market "
        f"({percent(result.metrics['net_exposure'], 0)} long less short), at most {percent(most, 0)}; "
        f"{title} had {percent(theirs['gross_exposure'], 0)}."
    )


def turnover(result: BacktestResult) -> str:
    """Say how much was traded a year."""
    title, theirs = passive(result)
    if is_ruined(result.equity):
        return f"The strategy made {counted(result.num_trades, 'order')} before nothing was left."
    return (
        f"In {counted(result.num_trades, 'order')} the strategy traded {number(result.metrics['turnover'], 1)} times "
        f"its equity a year, {title} {number(theirs['turnover'], 1)} times."
    )


def costs(result: BacktestResult) -> str:
    """Say what costs took, and how much of them would use up the gross profit."""
    title, theirs = passive(result)
    account, start = result.simulation, result.simulation.starting_cash
    traded, paid = float(account.ledger.traded.sum()), float(account.costs.sum())
    text = f"Costs took {percent(paid / start)} of starting cash; those of {title} {percent(theirs['costs'] / start)}."
    if not account.gross_profit > 0 or not traded > 0:
        return f"{text} There is no gross profit to pay costs from."
    return (
        f"{text} They are {percent(paid / account.gross_profit, 0)} of the gross profit: the strategy paid "
        f"{number(paid / traded * 1e4, 1)} bps of the traded value, and {number(account.break_even_bps, 1)} bps would "
        "use up the profit."
    )


def contribution(result: BacktestResult) -> str:
    """Say which symbols gave most and least, and how much of the profit the best one made."""
    found = shares(result)
    best, worst = found.index[0], found.index[-1]
    if len(found) == 1:
        return f"{best} made {percent(found.iloc[0])} of starting cash."
    text = f"{best} gave most ({percent(found.iloc[0])} of starting cash), {worst} least ({percent(found.iloc[-1])})"
    total = float(found.sum())
    if total > 0:
        text += f"; without {best} the profit of {percent(total)} would be {percent(total - found.iloc[0])}"
    return f"{text}. One symbol's profit over one period is mostly chance."


def capacity(result: BacktestResult) -> str:
    """Say up to which capital the ratio holds."""
    found = result.capacity["sharpe"].astype(float)
    known = found[np.isfinite(found)]
    if not len(known):
        return "Without orders there is no Sharpe ratio at any capital."
    smallest, largest = (number(float(one), 0) for one in (known.index[0], known.index[-1]))
    if math.isclose(known.iloc[0], known.iloc[-1]):
        return f"The Sharpe ratio is {number(known.iloc[0])} at any capital: these costs do not grow with orders."
    filled = percent(float(result.capacity["filled"].loc[known.index[-1]]), 0)
    return (
        f"The Sharpe ratio is {number(known.iloc[0])} with {smallest} and {number(known.iloc[-1])} with {largest}, "
        f"where {filled} of what was ordered is filled: larger orders move prices more."
    )


def _steadiness(result: BacktestResult) -> str:
    spread = float(rolling_risk(result.simulation, result.bars_per_year)["volatility"].std())
    others = {one.name: one for one in result.compared}
    other = others.get("volatility_target_ewma")
    if other is None or not math.isfinite(spread):
        return ""
    theirs: pd.Series = rolling_risk(other.simulation, result.bars_per_year)["volatility"]
    return (
        f"It varied by {percent(spread)} (standard deviation of the quarterly values); with the EWMA instead of the "
        f"model by {percent(float(theirs.std()))}."
    )


def _is_short(result: BacktestResult) -> bool:
    """Whether figures a year would exaggerate what happened within less than one."""
    return len(result.returns) < result.bars_per_year


def _in_all(metrics: Mapping[str, float]) -> str:
    return f"made {percent(metrics['total_return'])} in all"


def _depth(result: BacktestResult) -> str:
    if is_ruined(result.equity):
        return ""
    low, high = ends_of(result.intervals, "max_drawdown")
    found = interval(-high, -low, True)
    return "" if found == UNKNOWN else f" ({percent(result.config.backtest.confidence, 0)} interval {found})"
