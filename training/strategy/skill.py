r"""What forecasts of returns were worth so far, at each date and from outcomes known by then.

The slope b of outcomes on forecasts, :math:`b = \sum_d B_d / \sum_d A_d` with the sums :math:`A_d = \sum x^2` and
:math:`B_d = \sum x y` of all forecasts x whose outcomes y became known on day d. 1 means that forecasts are right on
average, 0 that they say nothing. Its error is clustered by day, because all symbols share a day's shock, and includes
the covariance of overlapping horizons as :func:`training.metrics.clustered.long_run_se` does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
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
    found = _skill(slope, total, days, lambda lag: _products(a, b, lag), hac_weights(horizon - 1, dates))
    last = np.searchsorted(rows, np.arange(dates), side="right") - 1
    return Skill(_known(found.slope, last), _known(found.error, last), np.nan_to_num(_known(found.days, last)))


class RunningSkill:
    """The skill known at the newest date, of dates that are added one by one: the last of :func:`skill_of_sums`.

    It has the sums over all days, and A and B of the newest days only: those of which later days need products.
    """

    def __init__(self, horizon: int) -> None:
        self._overlap, self._dates, self._days = horizon - 1, 0, 0
        lags = len(hac_weights(self._overlap, 2 * horizon)) + 1
        self._newest: deque[tuple[float, float]] = deque(maxlen=lags)
        self._total, self._cross, self._products = 0.0, 0.0, np.zeros((lags, 3))

    def add(self, own: float, cross: float) -> None:
        """Add the sums A and B of the forecasts whose outcomes the next date makes known."""
        self._dates += 1
        if not own > 0.0:
            return
        self._days += 1
        self._total, self._cross = self._total + own, self._cross + cross
        self._newest.appendleft((own, cross))
        for lag, (a, b) in enumerate(self._newest):
            self._products[lag] += (cross * b, own * b + cross * a, own * a)

    def skill(self) -> Skill:
        """Return the skill known at the newest date, each (1,)."""
        if not self._days:
            return Skill(np.full(1, np.nan), np.full(1, np.nan), np.zeros(1))
        total = np.array([self._total])
        days = np.array([float(self._days)])
        weights = hac_weights(self._overlap, self._dates)
        return _skill(np.array([self._cross]) / total, total, days, lambda lag: self._products[lag][:, None], weights)


def _skill(slope: Float, total: Float, days: Float, products: Callable[[int], Float], weights: Float) -> Skill:
    """Return the skill after each day (days,) from :func:`_products` and the weights of lags 1, 2, …."""

    def covariance(lag: int) -> Float:  # of the residuals B − b A of days that are so far apart
        bb, ab, aa = products(lag)
        return np.asarray(bb - slope * ab + slope * slope * aa)

    triangle = 1.0 - np.arange(1, len(weights) + 1) / (len(weights) + 1)
    flat = safe = covariance(0)
    for lag, (weight, narrow) in enumerate(zip(weights, triangle, strict=True), start=1):
        shared = covariance(lag)
        flat, safe = flat + 2.0 * weight * shared, safe + 2.0 * narrow * shared
    variance = np.where(flat > 0.0, flat, np.maximum(safe, 0.0))
    effective = 1.0 + 2.0 * weights.sum()
    spare = np.where(days > effective, days - effective, np.nan)
    error = np.sqrt(variance * days / spare) / total
    return Skill(np.where(np.isnan(error), np.nan, slope), error, days)


def _products(a: Float, b: Float, lag: int) -> Float:
    r"""Return the sums of :math:`B_d B_{d-lag}`, :math:`A_d B_{d-lag} + B_d A_{d-lag}` and :math:`A_d A_{d-lag}`.

    Of all days up to each, (3, days).
    """
    n = len(a) - lag
    if n <= 0:
        return np.zeros((3, len(a)))
    head = np.zeros(lag)
    parts = (b[lag:] * b[:n], a[lag:] * b[:n] + b[lag:] * a[:n], a[lag:] * a[:n])
    return np.stack([np.cumsum(np.concatenate([head, part])) for part in parts])


def _known(values: Float, last: Ints) -> Float:
    if not len(values):
        return np.full(len(last), np.nan)
    return np.where(last >= 0, values[np.maximum(last, 0)], np.nan)
