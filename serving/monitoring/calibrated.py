"""Whether live forecasts mean what they say: frequencies of what was forecast with a probability, and mean ratios."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from configs.values import Kind
from features.labels import CLASSES, annualised
from serving.monitoring.forecast_rows import OUTCOME, has_outcome, probabilities, variances
from training.metrics.clustered import day_jackknife
from training.metrics.daily_sums import DayTotals, day_index
from training.metrics.ratio import Array, ratio

BINS = 10


class CalibrationBin(NamedTuple):
    """Rows with similar forecasts: the mean forecast, the mean outcome, its standard error, and how many rows.

    Direction: the probability of ``what`` and its frequency. Volatility: means of annualised volatility, as roots of
    mean variances.
    """

    what: str
    forecast: float
    outcome: float
    se: float
    rows: int


def calibration_bins(kind: Kind, frame: pd.DataFrame, horizon: int, bins: int = BINS) -> list[CalibrationBin]:
    """Return bins of equal mass of the forecasts with a known outcome; errors are clustered by day.

    Forecasts that are all equal make one bin.
    """
    own = probabilities(frame) if kind == "direction" else variances(frame)[:, None]
    rows = frame[has_outcome(kind, frame) & np.isfinite(own).all(axis=1)]
    if rows.empty:
        return []
    outcome = rows[OUTCOME[kind]].to_numpy(dtype=np.float64)
    if kind == "direction":
        p = probabilities(rows)
        return [
            one
            for k, name in enumerate(CLASSES)
            for one in _bins(name, rows, p[:, k], (outcome == k).astype(np.float64), horizon, bins)
        ]
    year = rows["bars_per_year"].fillna(252.0).to_numpy(dtype=np.float64) if "bars_per_year" in rows else 252.0
    scale = annualised(np.ones(len(rows)), year) ** 2  # variances a year
    found = _bins("volatility", rows, variances(rows) * scale, outcome * scale, horizon, bins)
    return [
        one._replace(
            forecast=float(np.sqrt(one.forecast)),
            outcome=float(np.sqrt(one.outcome)),
            se=float(one.se / (2.0 * np.sqrt(one.outcome))) if one.outcome > 0 else float("nan"),
        )
        for one in found
    ]


def _bins(
    what: str, frame: pd.DataFrame, forecast: Array, outcome: Array, horizon: int, bins: int
) -> list[CalibrationBin]:
    edges = np.unique(np.quantile(forecast, np.linspace(0.0, 1.0, bins + 1)[1:-1]))
    cell = np.searchsorted(edges, forecast, side="right")
    count = len(edges) + 1
    days, row = day_index(frame["date"].to_numpy(), len(frame))
    total = DayTotals(row, len(days))
    rows = total.counts(cell, count)
    value, error = day_jackknife(ratio, (total.counts(cell, count, outcome), rows), horizon - 1)
    mean = ratio(np.bincount(cell, weights=forecast, minlength=count), rows.sum(axis=0))
    return [
        CalibrationBin(what, float(mean[i]), float(value[i]), float(error[i]), int(n))
        for i, n in enumerate(rows.sum(axis=0))
        if n > 0
    ]
