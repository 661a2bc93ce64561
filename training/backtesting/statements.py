"""What console and page both say of a backtest: what models added, what costs took, and why positions are 0."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from configs.words import counted, signed
from training.backtesting.result import BacktestResult
from training.metrics.comparison import Comparison
from training.strategy.reasons import TEXT, Reason

_REASONS = 4
_ERRORS = 1.96
_UNWANTED = {TEXT[reason] for reason in (Reason.NO_BAR, Reason.NO_FORECAST, Reason.STRATEGY)}
_REPLACED = {
    "volatility_target_ewma": "the EWMA volatility",
    "strategy_ewma": "the EWMA volatility",
    "strategy_prior": "the class prior",
}


def costs_paid(result: BacktestResult) -> list[tuple[str, float, float]]:
    """Return each kind of cost that was paid, and all: its name, money, and basis points of the traded value."""
    traded = float(result.simulation.ledger.traded.sum()) or math.nan
    paid = {str(kind): float(value) for kind, value in result.simulation.costs.items() if value}
    paid["all"] = sum(paid.values())
    return [(kind, value, value / traded * 1e4) for kind, value in paid.items()]


def added(result: BacktestResult) -> Iterator[str]:
    """Yield what each model added to the strategy: its result less that of the same strategy without the model.

    Both are paired by bar, with a standard error that allows for overlapping forecasts. Where positions are the same,
    nothing can be said of the model.
    """
    for one in result.compared:
        if not one.is_model_free:
            continue
        what = _REPLACED[one.name]
        if np.array_equal(one.simulation.held, result.simulation.held):
            yield f"with {what} in place of the model every position is the same, so the model added nothing"
            continue
        ratio, profit = one.of_sharpe, one.of_return
        gain = f"{_with_error(profit, 1, 100.0)} % a year"
        if math.isfinite(ratio.value):
            gain = f"{_with_error(ratio, 2)} to the Sharpe ratio and {gain} to the mean return"
        judged = ratio if ratio.is_known else profit
        yield f"compared with {what}, the model added {gain}: {_verdict(judged)}"


def _verdict(found: Comparison) -> str:
    if not found.is_known:
        return "too few bars to judge"
    if abs(found.value) <= _ERRORS * found.se:
        return "not distinguishable from chance"
    return "more than chance explains" if found.value > 0 else "it made the strategy worse"


def _with_error(found: Comparison, digits: int, factor: float = 1.0) -> str:
    error = f"{found.se * factor:.{digits}f}" if math.isfinite(found.se) else "?"
    return f"{signed(found.value * factor, digits)} ± {error}"


def unchanged(result: BacktestResult) -> Iterator[str]:
    """Yield where a model made no difference, which is no proof that it is as good as what replaced it."""
    for one in result.compared:
        lots_decided = not result.num_trades and result.why.get("position", 0) > 0  # a note of the account says so
        if one.is_model_free and np.array_equal(one.simulation.held, result.simulation.held) and not lots_decided:
            held = "holds the same positions" if result.num_trades else "holds nothing either"
            unwanted = {name for name, count in result.why.items() if count} <= _UNWANTED
            reason = "the strategy chose no symbol" if unwanted else "limits and filters decided, not the model"
            yield f"{one.title} {held}: {reason}"


def why(result: BacktestResult) -> str:
    """Return the number of decisions with a position, and the most frequent reasons for a position of 0."""
    counts = dict(result.why)
    held = counts.pop("position", 0)
    total = (len(result.simulation.dates) - 1) * len(result.simulation.market.symbols)
    text = f"a position is held in {held:,} of {counted(total, 'decision')}"
    top = sorted(counts.items(), key=lambda item: -item[1])[:_REASONS]
    reasons = ", ".join(f"{reason} ({count:,})" for reason, count in top)
    return f"{text}; the others are 0 because of: {reasons}" if top else text
