"""Scores of live forecasts next to their baselines, with errors clustered by day."""

from __future__ import annotations

import numpy as np
import pandas as pd

from configs.values import Kind
from serving.monitoring.forecast_rows import (
    OUTCOME,
    baselines_of,
    has_outcome,
    label_sets,
    probabilities,
    row_evidence,
    variances,
)
from training.metrics.clustered import day_jackknife
from training.metrics.comparison import Comparison
from training.metrics.daily import DirectionDaily, VolatilityDaily
from training.metrics.daily_sums import DailySums, DayTotals, day_index
from training.metrics.ratio import ratio

_BARS_PER_YEAR = 252.0  # of tables that do not say

Scores = dict[str, float]


def live_sums(kind: Kind, frame: pd.DataFrame) -> DailySums | None:
    """Return the daily sums of rows with a known outcome; None if there are none.

    A baseline of direction counts if it has a forecast of every row. Without one, a row of a volatility baseline
    repeats the model's, as at the test.
    """
    return _direction(frame) if kind == "direction" else _volatility(frame)


def live_scores(kind: Kind, frame: pd.DataFrame, horizon: int) -> Scores:
    """Return the metrics of :meth:`training.metrics.daily.DirectionDaily.summary` or its volatility counterpart.

    ``rows`` and ``days`` are 0 where no outcome is known.
    """
    sums = live_sums(kind, frame)
    if sums is None:
        return {"rows": 0.0, "days": 0.0}
    scores: Scores = sums.summary(horizon)  # type: ignore[attr-defined]
    return scores


def kept_share(kind: Kind, frame: pd.DataFrame, horizon: int) -> Comparison:
    """Return the share of the claimed gain over the baseline that came true, and its standard error."""
    gap, claim, _ = row_evidence(kind, frame).losses
    known = np.isfinite(gap)
    if not known.any() or not claim[known].sum() > 0.0:
        return Comparison(float("nan"), float("nan"))
    days, row = day_index(frame["date"].to_numpy(), len(frame))
    total = DayTotals(row, len(days), known)
    value, error = day_jackknife(ratio, (total(-gap[known]), total(claim[known])), horizon - 1)
    return Comparison(float(value), float(error))


def _direction(frame: pd.DataFrame) -> DirectionDaily | None:
    p = probabilities(frame)
    frame = frame[has_outcome("direction", frame) & np.isfinite(p).all(axis=1)]
    if frame.empty:
        return None
    tables = {name: probabilities(frame, name) for name in baselines_of("direction", frame)}
    sets = label_sets(frame)
    return DirectionDaily.from_predictions(
        frame["date"].to_numpy(),
        frame[OUTCOME["direction"]].to_numpy(dtype=np.float64),
        probabilities(frame),
        {name: table for name, table in tables.items() if np.isfinite(table).all()},
        sets.astype(bool) if np.isfinite(sets).all() else None,
    )


def _volatility(frame: pd.DataFrame) -> VolatilityDaily | None:
    f = variances(frame)
    frame = frame[has_outcome("volatility", frame) & np.isfinite(f)]
    target, f = frame[OUTCOME["volatility"]].to_numpy(dtype=np.float64), variances(frame)
    if not (target > 0).any():
        return None
    tables = {name: variances(frame, name) for name in baselines_of("volatility", frame)}
    own = {name: np.isfinite(table) for name, table in tables.items()}
    ends = tuple(frame[name].to_numpy(dtype=np.float64, na_value=np.nan) for name in ("low", "high"))
    year = frame["bars_per_year"] if "bars_per_year" in frame else pd.Series(_BARS_PER_YEAR, frame.index)
    return VolatilityDaily.from_predictions(
        frame["date"].to_numpy(),
        target,
        f,
        {name: np.where(own[name], table, f) for name, table in tables.items()},
        (ends[0], ends[1]) if np.isfinite(ends[0] + ends[1]).all() else None,
        own,
        bars_per_year=year.fillna(_BARS_PER_YEAR).to_numpy(dtype=np.float64),
    )
