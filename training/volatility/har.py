"""Log-HAR: a linear model of log variance on its means over several horizons, and on any further columns.

Corsi (2009, J. Financial Econometrics 7, eq. 8) in logs, as in Andersen, Bollerslev and Diebold (2007, eq. 14). One set
of sums, the Gram matrices, serves all three ways to fit: each symbol alone, all symbols pooled, and each symbol
shrunk to the pooled fit. Sums add up over blocks, so a pooled fit streams over any number of symbols.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from features.rolling import rolling_mean
from training.volatility.level import RatioSums
from training.volatility.state import SHARED, FleetState, Float, Ints, Mask, symbol_index

BASELINE_LAGS = (1, 5, 22)
MEMBER_LAGS = (1, 5, 22, 66, 252)
COMPLETE_AFTER = MEMBER_LAGS[-2]  # bars after which all lagged means exist, see har_lags
RIDGE = 1e-6
SHRINKAGE = 10_000.0
LEVEL_SHRINKAGE = 2_000.0
_FLOOR = 0.01  # a bar without movement counts as this share of the longest mean: its logarithm would be −∞


def har_lags(variance: Float, offsets: Ints, lags: tuple[int, ...]) -> Float:
    """Return log means of v over the last ``lags`` bars, shape (rows, L); NaN where a window is incomplete.

    A symbol younger than the longest lag uses, in its place, the mean over all its bars once the second longest is
    complete: a year-long lag must not cost a year of data.
    """
    out = np.full((len(variance), len(lags)), np.nan)
    for i in range(len(offsets) - 1):
        rows = slice(int(offsets[i]), int(offsets[i + 1]))
        v = variance[rows]
        means = np.stack([rolling_mean(v, lag) for lag in lags], axis=1)
        if len(lags) > 1:
            seen = np.isfinite(v)
            total = np.cumsum(np.where(seen, v, 0.0)) / np.maximum(np.cumsum(seen), 1)
            young = np.isnan(means[:, -1]) & np.isfinite(means[:, -2])
            means[young, -1] = total[young]
        with np.errstate(divide="ignore"):
            logs = np.log(np.maximum(means, _FLOOR * means[:, -1:]))
        logs[~np.isfinite(logs).all(axis=1)] = np.nan
        out[rows] = logs
    return out


def har_design(
    variance: Float, offsets: Ints, lags: tuple[int, ...], extra: npt.NDArray[np.floating] | None = None
) -> Float:
    """Return the regressors (rows, 1 + L + E): one, log mean variances, and further columns.

    ``extra`` (rows, E) must be scaled so that its train mean is 0; a missing value then counts as that mean.
    """
    x = har_lags(variance, offsets, lags)
    parts = [np.ones((len(x), 1)), x]
    if extra is not None:
        parts.append(np.nan_to_num(extra.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0))
    return np.concatenate(parts, axis=1)


@dataclass(frozen=True, slots=True)
class GramAccumulator:
    """Sums over rows of x xᵀ (S, k, k), x ln y (S, k) and 1 (S,): all that least squares needs of the data.

    Sum pooled accumulators of blocks in a fixed order and the pooled fit is the same bytes whoever ran which block.
    """

    xx: Float
    xy: Float
    count: Float

    @classmethod
    def of(cls, x: Float, target: Float, offsets: Ints, rows: Mask) -> Self:
        """Sum the rows of a mask, symbol by symbol; rows with a NaN or a target that is not positive are left out."""
        size, k = len(offsets) - 1, x.shape[1]
        out = cls(np.zeros((size, k, k)), np.zeros((size, k)), np.zeros(size))
        ok = rows & np.isfinite(target) & (target > 0) & np.isfinite(x).all(axis=1)
        for i in range(size):
            part = slice(int(offsets[i]), int(offsets[i + 1]))
            kept = x[part][ok[part]]
            out.xx[i], out.xy[i] = kept.T @ kept, kept.T @ np.log(target[part][ok[part]])
            out.count[i] = len(kept)
        return out

    def pooled(self) -> Self:
        """Return the sums over all symbols as a fleet of one."""
        return type(self)(*(v.sum(axis=0, keepdims=True) for v in (self.xx, self.xy, self.count)))

    def __add__(self, other: Self) -> Self:
        """Add the sums of other rows of the same symbols (or of another pooled block)."""
        return type(self)(self.xx + other.xx, self.xy + other.xy, self.count + other.count)


@dataclass(frozen=True, slots=True)
class HarFleet(FleetState):
    """Coefficients (S, k) on ``[1, log means, extra]``, level (S,), and the lags (L,) shared by all.

    The forecast is ``level · exp(x · coefficients)``. A symbol with NaN coefficients has no forecast.
    """

    coefficients: Float
    level: Float
    lags: Ints = field(metadata=SHARED)

    def inputs(self, variance: Float, offsets: Ints, extra: npt.NDArray[np.floating] | None = None) -> Float:
        """Return the regressors of :func:`har_design` for this fleet's lags."""
        return har_design(variance, offsets, tuple(int(lag) for lag in self.lags), extra)

    def forecast(self, inputs: Float, index: Ints) -> Float:
        """Return the mean variance (n,) of the next bars, given regressors (n, k) and each row's symbol (n,)."""
        logs = np.einsum("nk,nk->n", inputs, self.coefficients[index])
        return np.asarray(self.level[index] * np.exp(logs))

    def levelled(self, target: Float, inputs: Float, index: Ints, rows: Mask, towards: float, shrinkage: float) -> Self:
        """Return this fleet with its level fitted to mean(y / f) = 1 on the rows of a mask; see :class:`RatioSums`."""
        raw = replace(self, level=np.ones(len(self)))
        sums = RatioSums.of(target, raw.forecast(inputs, index), index, rows, len(self))
        return replace(self, level=sums.level(towards, shrinkage))


def solve_har(
    grams: GramAccumulator,
    lags: tuple[int, ...],
    ridge: float = RIDGE,
    pool: tuple[HarFleet, GramAccumulator] | None = None,
    shrinkage: float = 0.0,
) -> HarFleet:
    """Solve each symbol's least squares; the level is still 1 (see :meth:`HarFleet.levelled`).

    Minimises ``Σ (ln y − x·b)² + ridge · n · Σ_j var(x_j) b_j²`` over b, without penalty on the intercept, or, with a
    pool, ``Σ (ln y − x·b)² + shrinkage · mean_pool((x·b − x·b_pool)²)``: ``shrinkage`` rows of the pooled data that
    say exactly what the pooled fit says (Zellner's g-prior centred on it).

    A symbol with fewer than twice as many rows as columns, and no pool, gets NaN.
    """
    count = grams.count[:, None, None]
    penalty = ridge * count * _column_variances(grams)
    xx, xy = grams.xx + penalty, grams.xy
    if pool is not None and shrinkage > 0:
        fleet, total = pool
        prior = shrinkage * (total.xx[0] / total.count[0] + ridge * _column_variances(total)[0])
        xx, xy = grams.xx + prior, xy + prior @ fleet.coefficients[0]
    solvable = np.ones(len(xx), bool) if pool is not None else grams.count >= 2 * xx.shape[1]
    coefficients = np.full(xy.shape, np.nan)
    if solvable.any():
        coefficients[solvable] = np.linalg.solve(xx[solvable], xy[solvable][..., None])[..., 0]
    return HarFleet(coefficients, np.ones(len(xx)), np.asarray(lags, dtype=np.int64))


def _column_variances(grams: GramAccumulator) -> Float:
    """Return diagonal matrices (S, k, k) of each column's variance: 0 for the intercept, 1 for a constant column."""
    count = np.maximum(grams.count, 1.0)[:, None]
    second, mean = np.diagonal(grams.xx, axis1=1, axis2=2) / count, grams.xx[:, 0] / count
    variance = second - mean**2
    variance = np.where(variance > 1e-10 * np.maximum(second, 1e-12), variance, 1.0)
    variance[:, 0] = 0.0
    return np.asarray(variance[:, :, None] * np.eye(variance.shape[1]))


def fit_pooled(x: Float, target: Float, offsets: Ints, rows: Mask, lags: tuple[int, ...]) -> HarFleet:
    """Fit one row of coefficients for all symbols held in memory; use it with an index of zeros."""
    fleet = solve_har(GramAccumulator.of(x, target, offsets, rows).pooled(), lags)
    return fleet.levelled(target, x, np.zeros(len(x), np.int64), rows, 1.0, 0.0)


def fit_per_symbol(x: Float, target: Float, offsets: Ints, rows: Mask, lags: tuple[int, ...]) -> HarFleet:
    """Fit each symbol alone."""
    fleet = solve_har(GramAccumulator.of(x, target, offsets, rows), lags)
    return fleet.levelled(target, x, symbol_index(offsets), rows, 1.0, 0.0)


def fit_shrunk(
    x: Float,
    target: Float,
    offsets: Ints,
    rows: Mask,
    pool: tuple[HarFleet, GramAccumulator],
    shrinkage: float = SHRINKAGE,
    level_shrinkage: float = LEVEL_SHRINKAGE,
) -> HarFleet:
    """Fit each symbol with coefficients and level shrunk to a pooled fit, given with the sums it came from.

    Pass the pool of *all* symbols, not of this block, or a fit depends on which symbols share the block.
    """
    fleet, _ = pool
    lags = tuple(int(lag) for lag in fleet.lags)
    own = solve_har(GramAccumulator.of(x, target, offsets, rows), lags, pool=pool, shrinkage=shrinkage)
    return own.levelled(target, x, symbol_index(offsets), rows, float(fleet.level[0]), level_shrinkage)
