"""The EWMA baseline: today's exponentially weighted variance is the forecast, up to a level fitted on train."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from features.labels import ewma_volatility
from features.panel import Panel
from training.models.volatility.fleet_state import FleetState, Float, Ints, Mask, symbol_index
from training.models.volatility.level import RatioSums
from training.models.volatility.member import FitData, ForecastInputs, MemberSpec, Series

DECAY = 0.94  # J.P. Morgan / Reuters (1996), RiskMetrics Technical Document, section 5.3
_LEAST = 0.01
_TINY = 1e-8  # a daily variance of 0.01 %: a symbol without any row


@dataclass(frozen=True, slots=True)
class EwmaFleet(FleetState):
    """Level c of each symbol: the forecast is ``c · s_t`` with s_t from :func:`ewma_states`.

    ``level`` (S,) is positive. ``least`` (S,) is positive: no forecast is lower, so there is one in the longest halt.
    """

    level: Float
    least: Float

    def forecast(self, states: Float, index: Ints) -> Float:
        """Return the mean variance (n,) of the next bars, given s_t (n,) and each row's symbol (n,)."""
        return np.fmax(self.level[index] * states, self.least[index])


def ewma_states(variance: Float, offsets: Ints) -> Float:
    """Return ``s_t = λ s_{t−1} + (1 − λ) v_t`` (rows,) of bars v (rows,), symbol after symbol.

    The weights are normalised from the first bar on; NaN before it.
    """
    out = np.empty(len(variance))
    for start, stop in pairwise(offsets.tolist()):
        out[start:stop] = ewma_volatility(variance[start:stop], DECAY) ** 2
    return out


def fit_ewma(variance: Float, target: Float, offsets: Ints, rows: Mask, *, pooled: bool = False) -> EwmaFleet:
    """Fit each symbol's level by QLIKE, or one level of all (a fleet of one).

    Parameters
    ----------
    variance, target : (rows,)
        v_t and its mean over the next bars, symbol after symbol; NaN where unknown.
    offsets : (S + 1,)
        Symbol i owns rows ``offsets[i]:offsets[i + 1]``.
    rows : (rows,) bool
        The train rows; their targets must end within train, or the fit sees what follows.
    pooled : bool
        Whether all symbols share one level.
    """
    size = 1 if pooled else len(offsets) - 1
    index = np.zeros(len(target), np.int64) if pooled else symbol_index(offsets)
    level = RatioSums.of(target, ewma_states(variance, offsets), index, rows, size).level()
    return EwmaFleet(level, _least(target, index, rows, size))


def _least(target: Float, index: Ints, rows: Mask, size: int) -> Float:
    """Return a hundredth of the mean target of each symbol's rows."""
    ok = rows & np.isfinite(target) & (target > 0)
    count = np.bincount(index[ok], minlength=size)
    total = np.bincount(index[ok], weights=target[ok], minlength=size)
    mean = np.full(size, _TINY)
    np.divide(total, count, out=mean, where=count > 0)
    return _LEAST * mean


def _fit(data: FitData, pooled: bool) -> EwmaFleet:
    panel = data.panel
    return fit_ewma(panel.variance, data.examples.targets, panel.offsets, data.known, pooled=pooled)


def _states(panel: Panel, fleet: EwmaFleet) -> Float:
    return ewma_states(panel.variance, panel.offsets)[:, None]


def _forecast(inputs: ForecastInputs, fleet: EwmaFleet) -> Float:
    return fleet.forecast(inputs.series["ewma"][:, 0], inputs.rows(fleet))


SPEC = MemberSpec(
    name="ewma",
    title="EWMA",
    state=EwmaFleet,
    fit_shared=lambda data: _fit(data, pooled=True),
    fit_own=lambda data, shared: _fit(data, pooled=False),
    series=Series("ewma", 1, _states),
    forecast=_forecast,
    is_baseline=True,
    is_fallback=True,
    rank=3,
)
