"""The tables of ``fleetcast backtest``: the strategy and its comparisons, what the model added, and costs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from configs.words import signed
from training.backtesting.result import BacktestResult
from training.backtesting.statements import costs_paid
from training.metrics.comparison import Comparison
from training.validation.backtest.simulation import Simulation

if TYPE_CHECKING:
    from cluster.views.wide_table import WideTable

_NONE = "–"


def accounts_table(result: BacktestResult) -> WideTable:
    """Return a row for the strategy and for each account that it is compared with."""
    from cluster.views.wide_table import WideTable

    headings = ["% a year", "return", "vol.", "Sharpe", "drawdown", "turnover", "costs"]
    rows = [_account("strategy", result, result.simulation)]
    rows += [_account(one.title, result, one.simulation) for one in result.compared]
    caption = "drawdown: the largest; turnover: all trades over equity, costs: all over starting cash, both a year"
    return WideTable(headings, rows, caption=caption, first_bold=True)


def added_table(result: BacktestResult) -> WideTable:
    """Return the strategy less each other account, paired by bar."""
    from cluster.views.wide_table import WideTable

    rows = [
        [f"less {one.title}", _difference(one.of_return, 100.0), _difference(one.of_sharpe)]
        for one in sorted(result.compared, key=lambda one: not one.is_model_free)
    ]
    caption = "± standard error, paired by bar; a Sharpe of – is that of cash"
    return WideTable(["what the strategy added", "mean return, % a year", "Sharpe"], rows, caption=caption)


def costs_table(result: BacktestResult) -> WideTable:
    """Return what each kind of cost took, in money and per traded value."""
    from cluster.views.wide_table import WideTable

    rows = [[kind, f"{value:,.0f}", _number(bps, 2)] for kind, value, bps in costs_paid(result)]
    return WideTable(["costs", "money", "bps of traded value"], rows)


def capacity_table(result: BacktestResult) -> WideTable:
    """Return the Sharpe ratio by capital."""
    from cluster.views.wide_table import WideTable

    rows = [
        [f"{capital:,.0f}", _number(row["sharpe"], 2), _percent(row["cagr"]), _percent(row["filled"], 0)]
        for capital, row in result.capacity.iterrows()
    ]
    return WideTable(["capital", "Sharpe", "return, % a year", "% filled"], rows)


def _account(title: str, result: BacktestResult, account: Simulation) -> list[str]:
    found = result.metrics_of(account)
    return [
        title,
        _percent(found["cagr"]),
        _percent(found["volatility"]),
        _number(found["sharpe"], 2),
        _percent(found["max_drawdown"]),
        _number(found["turnover"], 1),
        _percent(account.costs_a_year(result.bars_per_year)),
    ]


def _difference(found: Comparison, factor: float = 1.0) -> str:
    if not math.isfinite(found.value):
        return _NONE
    error = f"{found.se * factor:.2f}" if math.isfinite(found.se) else "?"
    return f"{signed(found.value * factor, 2)} ± {error}"


def _percent(value: float, digits: int = 2) -> str:
    return _number(value * 100.0, digits)


def _number(value: float, digits: int) -> str:
    return f"{value:,.{digits}f}".replace("-", "−") if math.isfinite(value) else _NONE
