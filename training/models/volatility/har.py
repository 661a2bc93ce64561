"""The log-HAR baselines: a linear model of log variance on its means over several horizons, by plain least squares.

Corsi (2009, J. Financial Econometrics 7, eq. 8) in logs, as in Andersen, Bollerslev and Diebold (2007, eq. 14); each
symbol alone, or all symbols pooled.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from features.rolling import rolling_mean
from training.models.volatility.fleet_state import SHARED, FleetState, Float, Ints, Mask, rows_by_length, symbol_index
from training.models.volatility.level import RatioSums

BASELINE_LAGS = (1, 5, 22)
_RIDGE = 1e-6
_CONSTANT = 1e-10  # of a column's mean square
_FLOOR = 0.01  # a bar without movement counts as this share of the longest mean: its logarithm would be −∞


def har_lags(variance: Float, offsets: Ints, lags: tuple[int, ...]) -> Float:
    """Return log means of v over the last ``lags`` bars, shape (rows, L); NaN where a window is incomplete.

    A symbol younger than the longest lag uses, in its place, the mean over all its bars once the second longest is
    complete: a year-long lag must not cost a year of data.
    """
    out = np.full((len(variance), len(lags)), np.nan)
    for rows in rows_by_length(offsets):
        v = variance[rows]  # (N, S)
        means = np.stack([rolling_mean(v, lag) for lag in lags], axis=-1)  # (N, S, L)
        if len(lags) > 1:
            seen = np.isfinite(v)
            total = np.cumsum(np.where(seen, v, 0.0), axis=0) / np.maximum(np.cumsum(seen, axis=0), 1)
            young = np.isnan(means[..., -1]) & np.isfinite(means[..., -2])
            means[young, -1] = total[young]
        with np.errstate(divide="ignore"):
            logs = np.log(np.maximum(means, _FLOOR * means[..., -1:]))
        logs[~np.isfinite(logs).all(axis=-1)] = np.nan
        out[rows] = logs
    return out


def har_design(variance: Float, offsets: Ints, lags: tuple[int, ...]) -> Float:
    """Return the regressors (rows, 1 + L): one, and log mean variances."""
    x = har_lags(variance, offsets, lags)
    return np.concatenate([np.ones((len(x), 1)), x], axis=1)


@dataclass(frozen=True, slots=True)
class HarFleet(FleetState):
    """Coefficients (S, k) on ``[1, log means]``, level (S,), and the lags (L,) shared by all.

    The forecast is ``level · exp(x · coefficients)``. A symbol with NaN coefficients has no forecast.
    """

    coefficients: Float
    level: Float
    lags: Ints = field(metadata=SHARED)

    def inputs(self, variance: Float, offsets: Ints) -> Float:
        """Return the regressors (rows, k) of :func:`har_design` for this fleet's lags."""
        return har_design(variance, offsets, tuple(int(lag) for lag in self.lags))

    def forecast(self, inputs: Float, index: Ints) -> Float:
        """Return the mean variance (n,) of the next bars, given regressors (n, k) and each row's symbol (n,)."""
        logs = np.einsum("nk,nk->n", inputs, self.coefficients[index])
        with np.errstate(over="ignore"):
            return np.asarray(self.level[index] * np.exp(logs))


def fit_pooled(x: Float, target: Float, offsets: Ints, rows: Mask, lags: tuple[int, ...]) -> HarFleet:
    """Fit one row of coefficients for all symbols; use it with an index of zeros.

    ``x`` (rows, k) are the regressors and ``target`` (rows,) the variances, symbol after symbol (``offsets``); ``rows``
    is the mask of those to fit on.
    """
    return _fit(x, target, np.zeros(len(x), np.int64), 1, rows, lags)


def fit_per_symbol(x: Float, target: Float, offsets: Ints, rows: Mask, lags: tuple[int, ...]) -> HarFleet:
    """Fit each symbol alone; one with fewer than twice as many rows as columns has NaN. See :func:`fit_pooled`."""
    return _fit(x, target, symbol_index(offsets), len(offsets) - 1, rows, lags)


def _fit(x: Float, target: Float, index: Ints, size: int, rows: Mask, lags: tuple[int, ...]) -> HarFleet:
    """Least squares of ln y on x, with a level that makes mean(y / f) = 1 on the same rows."""
    coefficients = np.full((size, x.shape[1]), np.nan)
    usable = rows & np.isfinite(target) & (target > 0) & np.isfinite(x).all(axis=1)
    order = np.argsort(index[usable], kind="stable")
    parts = np.split(np.flatnonzero(usable)[order], np.cumsum(np.bincount(index[usable], minlength=size))[:-1])
    for i, own in enumerate(parts):
        if len(own) >= 2 * x.shape[1]:
            # On a constant volatility the intercept alone carries the level: a constant column is penalised as one of
            # variance 1.
            spread, size_of = x[own, 1:].var(axis=0), (x[own, 1:] ** 2).mean(axis=0)
            spread = np.where(spread > _CONSTANT * size_of, spread, 1.0)
            moments = x[own].T @ x[own] + _RIDGE * len(own) * np.diag(np.append(0.0, spread))
            coefficients[i] = np.linalg.solve(moments, x[own].T @ np.log(target[own]))
    raw = HarFleet(coefficients, np.ones(size), np.asarray(lags, dtype=np.int64))
    return replace(raw, level=RatioSums.of(target, raw.forecast(x, index), index, rows, size).level())
