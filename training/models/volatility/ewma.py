"""The EWMA baseline: today's exponentially weighted variance is the forecast, up to a level fitted on train."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.labels import ewma_volatility
from training.models.volatility.fleet_state import FleetState, Float, Ints, Mask, symbol_index
from training.models.volatility.level import RatioSums, usable

RISKMETRICS_DAILY = 0.94  # J.P. Morgan / Reuters (1996), RiskMetrics Technical Document, section 5.3
_LEAST = 0.01
_TINY = 1e-8  # a daily variance of 0.01 %: a symbol without any row
GRID = tuple(1.0 - 1.0 / memory for memory in (4.0, 8.0, 12.0, 1.0 / 0.06, 24.0, 36.0, 60.0, 120.0))


@dataclass(frozen=True, slots=True)
class EwmaFleet(FleetState):
    """Decay λ and level c of each symbol: the forecast is ``c · s_t`` with ``s_t = λ s_{t−1} + (1 − λ) v_t``.

    ``decay`` (S,) lies in (0, 1), ``level`` (S,) is positive. The weights are normalised from the first bar on.
    ``least`` (S,) is positive: no forecast is lower, so there is one in the longest halt.
    """

    decay: Float
    level: Float
    least: Float

    def inputs(self, variance: Float, offsets: Ints) -> Float:
        """Return s_t (rows,) of bars v (rows,) whose symbols are the fleet's, in order; NaN before the first bar."""
        out = np.empty(len(variance))
        for i, decay in enumerate(self.decay):
            rows = slice(offsets[i], offsets[i + 1])
            out[rows] = ewma_volatility(variance[rows], float(decay)) ** 2
        return out

    def forecast(self, inputs: Float, index: Ints) -> Float:
        """Return the mean variance (n,) of the next bars, given s_t (n,) and each row's symbol (n,)."""
        return np.fmax(self.level[index] * inputs, self.least[index])


def fit_ewma(
    variance: Float, target: Float, offsets: Ints, rows: Mask, decay: float | None = RISKMETRICS_DAILY
) -> EwmaFleet:
    """Fit each symbol's level, and its decay if that is ``None``, by QLIKE.

    Parameters
    ----------
    variance, target : (rows,)
        v_t and its mean over the next bars, symbol after symbol; NaN where unknown.
    offsets : (S + 1,)
        Symbol i owns rows ``offsets[i]:offsets[i + 1]``.
    rows : (rows,) bool
        The train rows; their targets must end within train, or the fit sees what follows.
    decay : float, optional
        Fixed λ; ``None`` takes the best of eight memories from 4 to 120 bars for each symbol.
    """
    size = len(offsets) - 1
    index = symbol_index(offsets)
    best = np.full(size, np.inf)
    chosen, level = np.full(size, RISKMETRICS_DAILY), np.ones(size)
    for candidate in (decay,) if decay is not None else GRID:
        fleet = EwmaFleet(np.full(size, candidate), np.ones(size), np.zeros(size))
        state = fleet.inputs(variance, offsets)
        sums = RatioSums.of(target, state, index, rows, size)
        # With the level at its optimum, QLIKE is ln(mean(y/f)) + mean(ln f) up to what depends on y alone.
        ok = usable(target, state) & rows
        logs = np.bincount(index[ok], weights=np.log(state[ok]), minlength=size)
        fitted = sums.level()
        loss = np.log(fitted) + logs / np.maximum(sums.count, 1.0)
        better = loss < best
        best[better], chosen[better], level[better] = loss[better], candidate, fitted[better]
    return EwmaFleet(chosen, level, _least(target, index, rows, size))


def fit_pooled_ewma(variance: Float, target: Float, offsets: Ints, rows: Mask) -> EwmaFleet:
    """Return the baseline of a symbol that is not among these, with one level of all: a fleet of one."""
    size, one = len(offsets) - 1, np.zeros(len(target), np.int64)
    fleet = EwmaFleet(np.full(size, RISKMETRICS_DAILY), np.ones(size), np.zeros(size))
    level = RatioSums.of(target, fleet.inputs(variance, offsets), one, rows, 1).level()
    return EwmaFleet(np.array([RISKMETRICS_DAILY]), level, _least(target, one, rows, 1))


def _least(target: Float, index: Ints, rows: Mask, size: int) -> Float:
    """Return a hundredth of the mean target of each symbol's rows."""
    ok = rows & np.isfinite(target) & (target > 0)
    count = np.bincount(index[ok], minlength=size)
    total = np.bincount(index[ok], weights=target[ok], minlength=size)
    mean = np.full(size, _TINY)
    np.divide(total, count, out=mean, where=count > 0)
    return _LEAST * mean
