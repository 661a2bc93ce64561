"""Tables of the page: rows of text, and returns by month."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from configs.load import config_hash
from training.backtesting.chart_series import monthly_returns
from training.backtesting.report.numbers import UNKNOWN, ends_of, interval, is_ruined, number, percent, with_error
from training.backtesting.result import BacktestResult
from training.backtesting.statements import costs_paid
from training.registry.provenance import library_versions
from training.registry.walk_forwards import KindScores
from training.validation.backtest.simulation import Simulation
from training.validation.stability import stability

_LIBRARIES = ("fleetcast", "numpy", "pandas", "arch", "plotly")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_FULL_COLOUR = 0.08  # a month's return from which its cell has the full colour


@dataclass(frozen=True)
class Table:
    """Headings and rows of text; the first cell of a row is its name."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""


@dataclass(frozen=True)
class MonthCell:
    """A return in words, whether it is a gain, and how strong its colour is, from 0 to 100."""

    text: str
    is_gain: bool
    strength: int


def accounts(result: BacktestResult) -> Table:
    """Return a row for the strategy, its intervals, and each account that it is compared with."""
    rows = [_account("strategy", result, result.simulation)]
    mass = result.config.backtest.confidence
    shown = (("cagr", True), ("volatility", True), ("sharpe", False), ("max_drawdown", True))
    ends = [interval(*ends_of(result.intervals, name), share) for name, share in shown]
    if not is_ruined(result.equity):
        rows.append([f"{percent(mass, 0)} interval", *ends, "", ""])
    rows += [_account(one.title, result, one.simulation) for one in result.compared]
    caption = (
        "return, Sharpe ratio: after costs; turnover: all trades over equity, costs: over starting cash, both a year"
    )
    return Table(["", "return a year", "volatility", "Sharpe", "drawdown", "turnover", "costs"], rows, caption)


def added(result: BacktestResult) -> Table:
    """Return the strategy less each other account, paired by bar."""
    rows = [
        [f"less {one.title}", with_error(one.of_return, 2, 100.0), with_error(one.of_sharpe, 2)]
        for one in sorted(result.compared, key=lambda one: not one.is_model_free)
    ]
    caption = "± standard error, paired by bar; a difference below two errors is not distinguishable from chance"
    return Table(["", "mean return, % a year", "Sharpe"], rows, caption)


def months(account: Simulation) -> list[tuple[str, list[MonthCell | None], MonthCell]]:
    """Return a row a year: its name, a cell a month or None without bars, and the year's return."""
    found = monthly_returns(account).dropna()
    by_year: dict[int, dict[int, float]] = {}
    for period, value in zip(pd.PeriodIndex(found.index), found.to_numpy(np.float64), strict=True):
        by_year.setdefault(period.year, {})[period.month] = float(value)
    out = []
    for year, values in by_year.items():
        cells = [_month(values[month]) if month in values else None for month in range(1, 13)]
        out.append((str(year), cells, _month(math.prod(1.0 + value for value in values.values()) - 1.0, 3.0)))
    return out


def month_names() -> Sequence[str]:
    """Return the headings of :func:`months`."""
    return _MONTHS


def costs(result: BacktestResult) -> Table:
    """Return what each kind of cost took, in money and per traded value."""
    rows = [[kind, number(value, 0), number(bps)] for kind, value, bps in costs_paid(result)]
    return Table(["costs", "money", "bps of traded value"], rows)


def parameters(scores: KindScores) -> Table | None:
    """Return how fitted parameters vary through windows; None if the run has none."""
    found = stability([window.parameters for window in scores.windows if window.parameters])
    if not len(found):
        return None
    shown = found[["mean", "sd", "first", "last"]].to_numpy(np.float64)
    rows = [[str(name), *(number(value, 4) for value in row)] for name, row in zip(found.index, shown, strict=True)]
    caption = "means over symbols; sd: standard deviation over windows, whose train dates overlap"
    return Table(["parameter", "mean", "sd", "first window", "last window"], rows, caption)


def significance(result: BacktestResult) -> Table:
    """Return the tests of the Sharpe ratio."""
    found = result.judgement
    deflated = found.deflated
    benchmark = deflated.benchmark * math.sqrt(result.bars_per_year)
    rows = [
        ["Sharpe ratio, annualised", number(result.sharpe_ratio)],
        [
            f"{percent(result.config.backtest.confidence, 0)} interval, block bootstrap",
            _sharpe_interval(result),
        ],
        ["probability of a ratio above 0 (PSR)", _probability(found.probabilistic)],
        ["trials in the store", f"{deflated.trials:g}"],
        ["best ratio of so many trials without skill", number(benchmark)],
        ["probability of a ratio above that (DSR)", _probability(deflated.probability)],
    ]
    if result.simulated is not None and result.simulated.timing_p_value is not None:
        rows.append(["p-value against random times", number(result.simulated.timing_p_value, 3)])
    return Table(["test", "value"], rows)


def provenance(result: BacktestResult) -> Table:
    """Return names, versions and hashes of all that made this page."""
    facts = dict(result.origin.facts)
    facts["hash of all settings"] = config_hash(result.config.model_dump(mode="json"))
    facts |= library_versions(_LIBRARIES)
    return Table(["what", "value"], [[name, value] for name, value in facts.items()])


def settings(result: BacktestResult) -> dict[str, Table]:
    """Return every setting by section; those of the strategy and the backtest first."""
    values = result.config.model_dump(mode="json")
    order = ["strategy", "backtest", *(name for name in values if name not in ("strategy", "backtest"))]
    return {
        name: Table(["setting", "value"], [[path, _value(value)] for path, value in _flat(values[name])])
        for name in order
    }


def _flat(value: Any, path: str = "") -> list[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        return [pair for key, one in value.items() for pair in _flat(one, f"{path}.{key}" if path else str(key))]
    return [(path, value)]


def _value(value: object) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _account(title: str, result: BacktestResult, account: Simulation) -> list[str]:
    found = result.metrics_of(account)
    return [
        title,
        percent(found["cagr"]),
        percent(found["volatility"]),
        number(found["sharpe"]),
        percent(found["max_drawdown"]),
        number(found["turnover"], 1),
        percent(account.costs_a_year(result.bars_per_year)),
    ]


def _month(value: float, times: float = 1.0) -> MonthCell:
    strength = min(abs(value) / (_FULL_COLOUR * times), 1.0)
    return MonthCell(number(value * 100.0, 1), value >= 0, round(60 * strength))


def _sharpe_interval(result: BacktestResult) -> str:
    return UNKNOWN if is_ruined(result.equity) else interval(*ends_of(result.intervals, "sharpe"))


def _probability(value: float) -> str:
    return UNKNOWN if not math.isfinite(value) else number(min(value, 0.999), 3)
