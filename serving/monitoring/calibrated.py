"""Whether live forecasts mean what they say: frequencies of what was forecast with a probability, and mean ratios."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from configs.values import Kind
from serving.monitoring.forecast_rows import JUDGED_KINDS
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
    judged = JUDGED_KINDS[kind]
    rows = frame[judged.is_known(frame) & np.isfinite(judged.forecasts(frame)).all(axis=1)]
    if rows.empty:
        return []
    return [
        judged.in_shown_units(one)
        for what, forecast, outcome in judged.calibration(rows)
        for one in _bins(what, rows, forecast, outcome, horizon, bins)
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
