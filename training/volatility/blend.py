"""The blend: non-negative weights on the members' log forecasts, a level, and conformal intervals.

``ln f = Σ w_m ln f_m + c`` with w on the simplex. In (w, c) QLIKE, ``y/f + ln f``, is convex, so any optimum is global;
at it ``mean(y / f) = 1``. The weighted geometric mean is the logarithmic pool of Genest and Zidek (1986, Statistical
Science 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from configs.errors import DataError
from training.volatility.intervals import conformal_ends
from training.volatility.level import usable
from training.volatility.simplex import solve_on_simplex
from training.volatility.state import FleetState, Float, Ints, Mask

# Weights and level are chosen on a stretch of days that all symbols share, so more symbols do not make them surer. US
# stocks, fitted to a year of 2005 to 2011, blended on the next and scored on the one after that (QLIKE, geometric mean
# over years and draws of 6 and of 25 stocks): weights as validation has them and half its level .2199 and .1849; drawn
# to a mean without GARCH by 250 days, with a quarter of the level, .2156 and .1836. On one more set of 6 stocks, with
# 175 days of validation, .1992 became .1782.
PRIOR_DAYS = 250.0

# Of the same stocks all together, from 2004 to 2012, none of the level gave .2113, half .2103, all .2126.
LEVEL_TRUST = 0.25

_STEPS = 50
_HALVINGS = 20
_TOLERANCE = 1e-10
_ROUNDING = 1e-12  # of the value: a step is not refused for the last digits of a sum
_COMMON = 0.5  # a member counts as present for a symbol that it forecasts in at least this share of the rows


@dataclass(frozen=True, slots=True)
class Prior:
    """Weights (M,) before validation is seen, worth ``strength`` times as much as all its rows."""

    weights: Float
    strength: float

    @classmethod
    def of(cls, members: Sequence[str], dates: npt.NDArray[np.datetime64]) -> Prior:
        """Return equal weights of all members but GARCH, the worst of them alone, for validation on these days."""
        chosen = np.array([name != "garch" for name in members]) | (len(members) == 1)
        return cls(chosen / chosen.sum(), PRIOR_DAYS / len(np.unique(dates.astype("datetime64[D]"))))


@dataclass(frozen=True, slots=True)
class BlendFleet(FleetState):
    """Weights (S, M), log level (S,), interval ends (S, 2) on the scale of ln(y / f), and information (S, k, k).

    ``information`` is the mean of z zᵀ over the fitted rows, k = M + 1 (see :func:`_regressors`): what a symbol's fit
    needs from the pooled one.
    """

    weights: Float
    log_level: Float
    ends: Float
    information: Float

    def forecast(self, forecasts: Float, index: Ints) -> Float:
        """Return the blended mean variance (n,) of forecasts (n, M), each row with the weights at ``index`` (n,).

        A member that is NaN in a row has weight 0 there and the rest are renormalised; a row whose weighted members
        are all missing uses the mean of those it has, and is NaN if it has none.
        """
        present = np.isfinite(forecasts) & (forecasts > 0)
        weights = self.weights[index] * present
        none = weights.sum(axis=1) <= 0
        weights[none] = present[none]
        total = weights.sum(axis=1)
        logs = np.log(np.where(present, forecasts, 1.0))
        out = np.full(len(forecasts), np.nan)
        known = total > 0
        mean = (weights[known] * logs[known]).sum(axis=1) / total[known]
        out[known] = np.exp(mean + self.log_level[index][known])
        return out

    def interval(self, forecast: Float, index: Ints) -> Float:
        """Return lower and upper ends (n, 2) for the realised variance around blended forecasts (n,)."""
        return forecast[:, None] * np.exp(self.ends[index])


def fit_pooled_blend(
    forecasts: Float,
    target: Float,
    rows: Mask,
    horizon: int,
    level: float = 0.9,
    level_trust: float = LEVEL_TRUST,
    prior: Prior | None = None,
) -> BlendFleet:
    """Fit one set of weights for all symbols: a fleet of one.

    Parameters
    ----------
    forecasts : (n, M)
        The members' forecasts, each level on train (see :mod:`training.volatility.level`); NaN where one has none.
    target : (n,)
        y, per-bar variance.
    rows : (n,) bool
        The validation rows. Members must have been fitted without them, or the weights reward overfitting.
    horizon : int
        Bars of the target. Targets of neighbouring rows overlap, so n rows count as n / horizon.
    level : float
        Nominal coverage of the intervals.
    level_trust : float
        The share of validation's log level to correct for; 1 makes mean(y / f) = 1 on validation.
    prior
        The weights that validation's are drawn to; none if not given.

    Raises
    ------
    DataError
        No validation row has a target and the members' forecasts.
    """
    index = np.zeros(len(target), dtype=np.int64)
    return _fit(forecasts, target, index, rows, 1, horizon, level, prior, None, 0.0, level_trust)


def fit_blend(
    forecasts: Float,
    target: Float,
    index: Ints,
    rows: Mask,
    size: int,
    horizon: int,
    pool: BlendFleet,
    shrinkage: float,
    level: float = 0.9,
) -> BlendFleet:
    """Fit each symbol's weights, level and interval, shrunk to the pooled ones.

    ``shrinkage`` pseudo-observations say what the pool says; a symbol's n validation rows count as n / horizon. A
    symbol without validation rows gets the pooled values. ``index`` (n,) is each row's symbol, from 0 to ``size`` − 1;
    the other parameters are as in :func:`fit_pooled_blend`.
    """
    return _fit(forecasts, target, index, rows, size, horizon, level, None, pool, shrinkage, 1.0)


def _regressors(forecasts: Float, present: Mask) -> tuple[Float, Float]:
    """Return the row mean of ln f_m (n,) and z (n, M + 1): each member's deviation from it, and a one."""
    logs = np.log(np.where(present, forecasts, 1.0))
    centre = logs.sum(axis=1) / np.maximum(present.sum(axis=1), 1)
    deviation = np.where(present, logs - centre[:, None], 0.0)
    return centre, np.concatenate([deviation, np.ones((len(logs), 1))], axis=1)


def _fit(
    forecasts: Float,
    target: Float,
    index: Ints,
    rows: Mask,
    size: int,
    horizon: int,
    level: float,
    prior: Prior | None,
    pool: BlendFleet | None,
    shrinkage: float,
    level_trust: float,
) -> BlendFleet:
    present = np.isfinite(forecasts) & (forecasts > 0)
    known = rows & usable(target, np.ones(len(target)))
    count = np.maximum(np.bincount(index[known], minlength=size), 1)
    share = np.stack([np.bincount(index[known], weights=p[known], minlength=size) for p in present.T], axis=1)
    allowed = share / count[:, None] >= _COMMON
    allowed[~allowed.any(axis=1)] = True
    kept = known & (present | ~allowed[index]).all(axis=1)
    if pool is None and not kept.any():
        raise DataError(
            f"none of {int(rows.sum())} validation rows has a variance target and all members' forecasts; expected at "
            "least one. Lengthen the validation period (split.train_end, split.valid_end) or leave a member out."
        )
    present = present & allowed[index]
    centre, z = _regressors(forecasts[kept], present[kept])
    objective = _Objective(z, centre, target[kept], index[kept], size, horizon, prior, pool, shrinkage)
    theta = objective.minimise(allowed)
    theta[:, -1] *= level_trust
    draft = BlendFleet(theta[:, :-1], theta[:, -1], np.zeros((size, 2)), objective.mean_information())
    errors = np.log(target[kept] / draft.forecast(np.where(present, forecasts, np.nan)[kept], index[kept]))
    ends = conformal_ends(errors, index[kept], size, horizon, level, None if pool is None else pool.ends[0], shrinkage)
    return BlendFleet(draft.weights, draft.log_level, ends, draft.information)


class _Objective:
    """Penalised QLIKE of every symbol as a function of θ = (w, c), per effective observation."""

    def __init__(
        self,
        z: Float,
        centre: Float,
        target: Float,
        index: Ints,
        size: int,
        horizon: int,
        prior: Prior | None,
        pool: BlendFleet | None,
        shrinkage: float,
    ) -> None:
        self.z, self.index, self.size = z, index, size
        self.ratio = target * np.exp(-centre)
        self.horizon = horizon
        self.k = z.shape[1]
        self.information = np.stack([self._sum(z * column[:, None]) for column in z.T], axis=1)
        if pool is None:
            start = np.full(self.k, 1.0 / (self.k - 1))
            start[-1] = 0.0
            self.prior, self.penalty = start, np.zeros((self.k, self.k))
            if prior is not None:
                self.prior[:-1] = prior.weights
                self.penalty[:-1, :-1] = prior.strength * self.information[0, :-1, :-1]
        else:
            self.prior = np.append(pool.weights[0], pool.log_level[0])
            self.penalty = shrinkage * pool.information[0]

    def _sum(self, values: Float) -> Float:
        """Return sums over each symbol's rows (S, …) divided by the horizon, for values (n, …)."""
        columns = [np.bincount(self.index, weights=column, minlength=self.size) for column in values.T]
        return np.stack(columns, axis=1) / self.horizon

    def mean_information(self) -> Float:
        """Return the mean of z zᵀ (S, k, k)."""
        count = self.information[:, -1, -1]
        return self.information / np.maximum(count, 1e-12)[:, None, None]

    def __call__(self, theta: Float) -> tuple[Float, Float]:
        """Return the value (S,) and the gradient (S, k)."""
        eta = (self.z * theta[self.index]).sum(axis=1)
        excess = self.ratio * np.exp(-eta)
        away = theta - self.prior
        pull = away @ self.penalty
        value = self._sum((excess + eta)[:, None])[:, 0] + 0.5 * (pull * away).sum(axis=1)
        return value, self._sum(self.z * (1.0 - excess)[:, None]) + pull

    def minimise(self, allowed: Mask) -> Float:
        """Return θ (S, k) by Fisher scoring: the expected curvature of QLIKE is z zᵀ, whatever the outliers in y.

        Each step solves its quadratic program exactly and is halved until it does not increase the value.
        """
        curvature = self.information + self.penalty
        theta = solve_on_simplex(curvature, np.einsum("skl,l->sk", curvature, self.prior), allowed)
        value, gradient = self(theta)
        settled = np.zeros(self.size, dtype=np.bool_)  # so that a symbol's last digits do not depend on its neighbours
        for _ in range(_STEPS):
            linear = np.einsum("skl,sl->sk", curvature, theta) - gradient
            step = solve_on_simplex(curvature, linear, allowed) - theta
            step[settled] = 0.0
            for _ in range(_HALVINGS):
                worse = self(theta + step)[0] > value + _ROUNDING * np.abs(value)
                if not worse.any():
                    break
                step[worse] *= 0.5
            else:
                step[worse] = 0.0
            settled |= np.abs(step).max(axis=1) < _TOLERANCE
            theta = theta + step
            if settled.all():
                break
            value, gradient = self(theta)
        return theta
