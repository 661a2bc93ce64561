"""The table of ``fleetcast models trials``."""

from __future__ import annotations

from collections.abc import Sequence

from cluster.views.wide_table import WideTable
from configs.words import counted
from training.registry.trials import RemovedTrial, Trial


def trial_table(trials: Sequence[Trial], removed: Sequence[RemovedTrial]) -> WideTable:
    """Return a row for each trial, and after them for each removed one with its reason."""
    rows = [
        [one.file.removesuffix(".json"), one.kind, f"{one.count}", _sharpe(one), one.name, ""]
        for one in sorted(trials, key=lambda one: (one.kind, one.name))
    ]
    rows += [
        [
            one.trial.file.removesuffix(".json"),
            one.trial.kind,
            "0",
            _sharpe(one.trial),
            one.trial.name,
            f"{one.removed_at[:10]}: {one.reason}",
        ]
        for one in removed
    ]
    total = sum(one.count for one in trials)
    headings = ["id", "kind", "trials", "Sharpe", "name", "removed"]
    return WideTable(
        headings,
        rows,
        caption=f"{counted(total, 'trial')} {'counts' if total == 1 else 'count'}",
        left=("kind", "name", "removed"),
    )


def _sharpe(trial: Trial) -> str:
    return "" if trial.sharpe is None else f"{trial.sharpe:.2f}"
