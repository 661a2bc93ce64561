"""Scores of live forecasts next to their baselines, with errors clustered by day."""

from __future__ import annotations

import numpy as np
import pandas as pd

from configs.values import Kind
from serving.monitoring.forecast_rows import JUDGED_KINDS, row_evidence
from training.metrics.clustered import day_jackknife
from training.metrics.comparison import Comparison
from training.metrics.daily_sums import DailySums, DayTotals, day_index
from training.metrics.ratio import ratio

Scores = dict[str, float]


def live_sums(kind: Kind, frame: pd.DataFrame) -> DailySums | None:
    """Return the daily sums of rows with a known outcome; None if there are none.

    A baseline of direction counts if it has a forecast of every row. Without one, a row of a volatility baseline
    repeats the model's, as at the test.
    """
    return JUDGED_KINDS[kind].sums(frame)


def live_scores(kind: Kind, frame: pd.DataFrame, horizon: int) -> Scores:
    """Return the metrics of :meth:`training.metrics.daily.DirectionDaily.summary` or its volatility counterpart.

    ``rows`` and ``days`` are 0 where no outcome is known.
    """
    sums = live_sums(kind, frame)
    if sums is None:
        return {"rows": 0.0, "days": 0.0}
    scores: Scores = sums.summary(horizon)  # type: ignore[attr-defined]
    return scores


def realised_share(kind: Kind, frame: pd.DataFrame, horizon: int) -> Comparison:
    """Return the share of the claimed gain over the baseline that came true, and its standard error."""
    gap, claim, _ = row_evidence(kind, frame).losses
    known = np.isfinite(gap)
    if not known.any() or not claim[known].sum() > 0.0:
        return Comparison(float("nan"), float("nan"))
    days, row = day_index(frame["date"].to_numpy(), len(frame))
    total = DayTotals(row, len(days), known)
    value, error = day_jackknife(ratio, (total(-gap[known]), total(claim[known])), horizon - 1)
    return Comparison(float(value), float(error))
