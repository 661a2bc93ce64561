"""What console and page both say of a backtest: what costs took, why positions are 0, where no model decided."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from configs.words import counted
from training.backtesting.result import BacktestResult

_REASONS = 4


def costs_paid(result: BacktestResult) -> list[tuple[str, float, float]]:
    """Return each kind of cost that was paid, and all: its name, money, and basis points of the traded value."""
    traded = float(result.simulation.ledger.traded.sum()) or math.nan
    paid = {str(kind): float(value) for kind, value in result.simulation.costs.items() if value}
    paid["all"] = sum(paid.values())
    return [(kind, value, value / traded * 1e4) for kind, value in paid.items()]


def unchanged(result: BacktestResult) -> Iterator[str]:
    """Yield where a model made no difference, which is no proof that it is as good as what replaced it."""
    for one in result.compared:
        if one.is_model_free and np.array_equal(one.simulation.held, result.simulation.held):
            held = "holds the same positions" if result.num_trades else "holds nothing either"
            yield f"{one.title} {held}: limits and filters decided, not the model"


def why(result: BacktestResult) -> str:
    """Return how often a position was held, and what kept the others at 0."""
    counts = dict(result.why)
    held = counts.pop("position", 0)
    total = (len(result.simulation.dates) - 1) * len(result.simulation.market.symbols)
    text = f"a position is held in {held:,} of {counted(total, 'decision')}"
    top = sorted(counts.items(), key=lambda item: -item[1])[:_REASONS]
    reasons = ", ".join(f"{reason} ({count:,})" for reason, count in top)
    return f"{text}; the others are 0 because of: {reasons}" if top else text
