"""What a walk-forward run says of one kind of model, as frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from configs.errors import shortened
from training.registry.walk_forwards import KindScores, WalkForwardRun


@dataclass(frozen=True, slots=True, repr=False)
class WalkForwardAnalysis:
    """What a walk-forward run says of one kind of model.

    Attributes
    ----------
    forecasts
        The out-of-sample forecasts of all windows with their baselines and outcomes, by symbol and date.
    metrics
        Over all windows, with errors clustered by day: ``log_loss``, ``log_loss_se``, ``log_loss_vs_prior`` …
    windows
        A row per window: the days of train, valid and test, the number of symbols, and the metrics.
    left_over
        How many of the last dates no window tests.
    fits
        Fits done now; the others were stored by earlier runs.
    run
        The run as the store has it.
    """

    forecasts: pd.DataFrame
    metrics: dict[str, Any]
    windows: pd.DataFrame
    left_over: int
    fits: int
    run: WalkForwardRun

    def __repr__(self) -> str:
        """Return the run, its windows and what was left over."""
        return (
            f"walk-forward run {self.run.name}: {len(self.windows)} windows, {len(self.forecasts)} forecasts of "
            f"{shortened(self.run.symbols)}; {self.left_over} dates left over"
        )


def windows_of(scores: KindScores) -> pd.DataFrame:
    """Return a row per window: its days, its number of symbols, and its metrics."""
    rows = []
    for window in scores.windows:
        days = {
            f"{part}_{end}": day
            for part, days in window.periods.items()
            for end, day in zip(("from", "to"), days, strict=True)
        }
        rows.append({"window": window.number, **days, "symbols": window.symbols, **window.metrics})
    return pd.DataFrame(rows).set_index("window")
