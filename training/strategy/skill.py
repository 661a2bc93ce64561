r"""What forecasts of returns were worth so far, at each date and from outcomes known by then.

The slope b of outcomes on forecasts, :math:`b = \sum_d B_d / \sum_d A_d` with the sums :math:`A_d = \sum x^2` and
:math:`B_d = \sum x y` of all forecasts x whose outcomes y became known on day d. 1 means that forecasts are right on
average, 0 that they say nothing. Its error is clustered by day, because all symbols share a day's shock, and includes
the covariance of overlapping horizons as :func:`training.metrics.clustered.long_run_se` does.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from training.metrics.clustered import hac_weights
from training.strategy.series import Float, Ints, sums_by_row


class Skill(NamedTuple):
    """Slope, its standard error, and the days of outcomes behind them, each (D,); NaN before there are enough."""

    slope: Float
    error: Float
    days: Float


def measured_skill(forecast: Float, outcome: Float, known: Ints, horizon: int) -> Skill:
    """Return the skill known at each date.

    Parameters
    ----------
    forecast, outcome : (D, S)
        The expected and the realised return, both in units of volatility, so that no symbol dominates.
    known : (D, S)
        Row at whose close the outcome is known. Using it earlier would leak the future.
    horizon : int
        Bars of a forecast; neighbouring days share ``horizon`` − 1 of them.
    """
    dates = len(forecast)
    own = sums_by_row(forecast * forecast + 0.0 * outcome, known, dates)
    return skill_of_sums(own, sums_by_row(forecast * outcome, known, dates), horizon)


def skill_of_sums(own: Float, cross: Float, horizon: int) -> Skill:
    """Return the skill known at each date, from the sums A and B (D,) of the forecasts whose outcomes it made known."""
    dates = len(own)
    rows = np.flatnonzero(own > 0.0)
    a, b = own[rows], cross[rows]
    days = np.arange(1, len(rows) + 1, dtype=np.float64)
    total = np.cumsum(a)
    slope = np.cumsum(b) / total if len(rows) else total
    weights = hac_weights(horizon - 1, dates)
    triangle = 1.0 - np.arange(1, len(weights) + 1) / (len(weights) + 1)
    flat = safe = _covariance(a, b, slope, 0)
    for lag, (weight, narrow) in enumerate(zip(weights, triangle, strict=True), start=1):
        shared = _covariance(a, b, slope, lag)
        flat, safe = flat + 2.0 * weight * shared, safe + 2.0 * narrow * shared
    variance = np.where(flat > 0.0, flat, np.maximum(safe, 0.0))
    effective = 1.0 + 2.0 * weights.sum()
    spare = np.where(days > effective, days - effective, np.nan)
    error = np.sqrt(variance * days / spare) / total
    slope = np.where(np.isnan(error), np.nan, slope)
    last = np.searchsorted(rows, np.arange(dates), side="right") - 1
    return Skill(_known(slope, last), _known(error, last), np.nan_to_num(_known(days, last)))


def _covariance(a: Float, b: Float, slope: Float, lag: int) -> Float:
    r"""Return :math:`\sum_d e_d e_{d-lag}` of the residuals e = B − b A of all days up to each, (days,)."""
    n = len(a) - lag
    if n <= 0:
        return np.zeros(len(a))
    head = np.zeros(lag)
    parts = (b[lag:] * b[:n], a[lag:] * b[:n] + b[lag:] * a[:n], a[lag:] * a[:n])
    bb, ab, aa = (np.cumsum(np.concatenate([head, part])) for part in parts)
    return np.asarray(bb - slope * ab + slope * slope * aa)


def _known(values: Float, last: Ints) -> Float:
    if not len(values):
        return np.full(len(last), np.nan)
    return np.where(last >= 0, values[np.maximum(last, 0)], np.nan)
