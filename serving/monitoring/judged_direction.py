"""How live probabilities of direction are judged: Brier score, log loss, label sets."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from features.labels import CLASSES
from serving.journal.kind_columns import KIND_COLUMNS
from serving.monitoring.judged_kind import JudgedKind, numbers
from serving.monitoring.losses import LossGaps, direction_gaps
from training.metrics.classification import log_loss_rows
from training.metrics.daily import DirectionDaily
from training.metrics.ratio import Array

_FLOOR = 1e-15


class JudgedDirection(JudgedKind):
    """Probabilities of three classes, with label sets."""

    kind = "direction"
    outcome = "label"
    stored_outcome = "label"
    implied = "probabilities imply"
    forecast_title = "forecast probability"
    outcome_title = "frequency"

    def gaps(self, outcome: Array, own: Array, other: Array, outlier: float) -> LossGaps:
        """Return gaps of Brier scores (N,); ``outcome`` classes (N,), ``own`` and ``other`` probabilities (N, 3)."""
        return direction_gaps(outcome, own, other)

    def missed(self, frame: pd.DataFrame, outcome: Array) -> Array:
        """Return 1 where the class is not in the label set, else 0, (N,); NaN where either is unknown."""
        sets, out = numbers(frame, KIND_COLUMNS[self.kind].label_set), np.full(len(frame), np.nan)
        rows = np.flatnonzero(np.isfinite(outcome) & np.isfinite(sets).all(axis=1))
        out[rows] = 1.0 - sets[rows, outcome[rows].astype(np.int64)]
        return out

    def losses(self, outcome: Array, own: Array) -> Array:
        """Return log losses (N,), in nats; classes (N,) and probabilities (N, 3)."""
        return np.asarray(log_loss_rows(outcome.astype(np.int64), own), np.float64)

    def expected(self, frame: pd.DataFrame, baseline: str, covered: Mapping[str, float]) -> tuple[Array, Array]:
        """Return entropies and divergences from the baseline, in nats, (N,) both."""
        p, q = (np.maximum(one, _FLOOR) for one in (self.forecasts(frame), self.forecasts(frame, baseline)))
        return -(p * np.log(p)).sum(axis=1), (p * np.log(p / q)).sum(axis=1)

    def sums(self, frame: pd.DataFrame) -> DirectionDaily | None:
        """Return sums in which a baseline counts if it has a forecast of every row."""
        frame = frame[self.is_known(frame) & np.isfinite(self.forecasts(frame)).all(axis=1)]
        if frame.empty:
            return None
        tables = {name: self.forecasts(frame, name) for name in self.baselines(frame)}
        sets = numbers(frame, KIND_COLUMNS[self.kind].label_set)
        return DirectionDaily.from_predictions(
            frame["date"].to_numpy(),
            frame[self.outcome].to_numpy(dtype=np.float64),
            self.forecasts(frame),
            {name: table for name, table in tables.items() if np.isfinite(table).all()},
            sets.astype(bool) if np.isfinite(sets).all() else None,
        )

    def calibration(self, rows: pd.DataFrame) -> list[tuple[str, Array, Array]]:
        """Return the probability of each class, and where it came."""
        p, outcome = self.forecasts(rows), self.outcomes(rows)
        return [(name, p[:, k], (outcome == k).astype(np.float64)) for k, name in enumerate(CLASSES)]
