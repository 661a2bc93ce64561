"""Conformal intervals around variance forecasts, which follow what they miss.

The ends are quantiles of ln(y / f) on rows that the members were not fitted on. They then move bar by bar: an end that
missed moves outwards by ``STEP (1 − α/2)`` of the interval's width, one that covered inwards by ``STEP α/2``, once the
outcome is known. So each end misses a share α/2 of all bars in the long run, as long as errors do not
drift to one side so far that an end would have to pass the forecast, where it stops.

References
----------
Lei, G'Sell, Rinaldo, Tibshirani and Wasserman (2018). Distribution-free predictive inference for regression. JASA 113.
Angelopoulos, Candès and Tibshirani (2023). Conformal PID control for time series prediction. NeurIPS, section 2
(quantile tracking).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from training.data.arrays import rows_by_time
from training.models.volatility import prior
from training.models.volatility.fleet_state import FleetState, Float, Ints

STEP = 0.05
SCALE_OBSERVATIONS = 20.0  # independent errors that say that they are spread as the shipped ones are
PRIOR_OBSERVATIONS = 50.0  # independent errors that say what the shipped quantiles say

WIDER = 1.1
_USUAL = 1.25
_LEAST_ERRORS = 20
_LEAST = 0.05  # an end is at least so far from the forecast, in logarithms
_MOST = 8.0


@dataclass(frozen=True, slots=True)
class IntervalFleet(FleetState):
    """``ends`` (S, 2): lower and upper quantile of ln(y / f), the lower negative and the upper positive."""

    ends: Float

    def walk_forward(self, errors: Float, index: Ints, horizon: int, level: float) -> tuple[Float, Self]:
        """Return the ends (n, 2) of each row, made bar by bar, and this fleet with every outcome learnt.

        Parameters
        ----------
        errors : (n,)
            ln(y / f); a row whose error is not finite teaches nothing.
        index : (n,)
            Each row's symbol; a symbol's rows are in order of time.
        horizon : int
            The error of a bar is known so many bars later; using it earlier would leak the outcome.
        level : float
            Nominal coverage.
        """
        by_time = rows_by_time(index)
        ends, out = self.ends.copy(), np.empty((len(index), 2))
        step = STEP * (self.ends[:, 1] - self.ends[:, 0])
        tail = (1.0 - level) / 2.0
        for t in range(len(by_time) + horizon):
            if t >= horizon:
                known = by_time[t - horizon]
                known = known[np.isfinite(errors[known])]
                rows = index[known]
                above, below = errors[known] > out[known, 1], errors[known] < out[known, 0]
                ends[rows, 1] += step[rows] * (above - tail)
                ends[rows, 0] -= step[rows] * (below - tail)
                ends[rows] = _around_zero(ends[rows])
            if t < len(by_time):
                out[by_time[t]] = ends[index[by_time[t]]]
        return out, replace(self, ends=ends)


def spread_of(errors: Float) -> float:
    """Return the distance of the 10 % and 90 % quantiles of errors (n,)."""
    low, high = np.quantile(errors, [0.1, 0.9])
    return float(high - low)


def prior_scale(errors: Float, independent: float) -> float:
    """Return how much wider errors are here than those that the shipped quantiles come from, shrunk to 1.

    ``errors`` (n,) are ln(y / f) of the anchor on train rows, worth so many ``independent`` ones. A target of one bar,
    or of closes only, is noisier than one of five bars with a range.
    """
    known = errors[np.isfinite(errors)]
    if len(known) < _LEAST_ERRORS:
        return 1.0
    ratio = max(spread_of(known) / prior.ERROR_SPREAD, 0.1)
    beyond = ratio / np.clip(ratio, 1.0 / _USUAL, _USUAL)  # markets of one kind differ so much
    return float(beyond ** (independent / (independent + SCALE_OBSERVATIONS)))


def fit_pooled_intervals(errors: Float, independent: float, level: float, scale: float = 1.0) -> IntervalFleet:
    """Return the ends of all symbols (a fleet of one) from errors (n,) that count as so many ``independent`` ones.

    Few errors are averaged with the shipped quantiles, a little widened: a model of few rows errs more than the one
    that they come from.
    """
    shipped = scale * WIDER * prior.ERROR_QUANTILES * (_normal_quantile(level) / _normal_quantile(0.9))
    return IntervalFleet(_shrunk(errors, independent, level, shipped, PRIOR_OBSERVATIONS)[None])


def fit_own_intervals(
    errors: Float, index: Ints, size: int, horizon: int, level: float, pool: IntervalFleet, shrinkage: float
) -> IntervalFleet:
    """Return each symbol's ends, averaged with the pool's, which count as ``shrinkage`` further errors.

    Overlapping targets are not exchangeable, so n errors count as n / horizon.
    """
    ends = np.repeat(pool.ends, size, axis=0)
    for i in range(size):
        own = errors[(index == i) & np.isfinite(errors)]
        ends[i] = _shrunk(own, len(own) / horizon, level, pool.ends[0], shrinkage)
    return IntervalFleet(ends)


def _shrunk(errors: Float, independent: float, level: float, towards: Float, shrinkage: float) -> Float:
    """Return quantiles of errors, corrected for a finite sample of ``independent`` ones, averaged with ``towards``."""
    known = errors[np.isfinite(errors)]
    if not len(known) or independent < 1.0:
        return _around_zero(towards)
    rank = min(np.ceil((independent + 1.0) * (0.5 + level / 2.0)) / independent, 1.0)
    tails = np.array([-np.quantile(-known, rank, method="higher"), np.quantile(known, rank, method="higher")])
    weight = independent / (independent + shrinkage)
    return _around_zero(weight * tails + (1.0 - weight) * towards)


def _around_zero(ends: Float) -> Float:
    """Return ends (…, 2) on either side of the forecast, at a usable distance."""
    low, high = np.clip(ends[..., 0], -_MOST, -_LEAST), np.clip(ends[..., 1], _LEAST, _MOST)
    return np.stack([low, high], axis=-1)


def _normal_quantile(level: float) -> float:
    from scipy.special import ndtri

    return float(ndtri(0.5 + level / 2.0))
