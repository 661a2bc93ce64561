"""The staged bars of a plan."""

from __future__ import annotations

from features.bars.schema import SymbolBars
from features.store.store import Store
from training.run.run_plan import RunPlan
from training.run.staging import read_staged


def bars_of_plan(store: Store, plan: RunPlan, most: int | None = None) -> list[SymbolBars]:
    """Return the bars of a plan's symbols in the order of its blocks, or of the first ``most`` symbols."""
    bars = list[SymbolBars]()
    for name, symbols in dict.fromkeys(part for job in plan.jobs for part in job.inputs if job.is_block):
        if most is None or len(bars) < most:
            bars += read_staged(store, name, symbols)
    return bars[:most]
