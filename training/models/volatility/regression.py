"""The linear member: the anchor's regression with every feature added, each shrunk as far as the data ask for.

Least squares on logarithms, so all that a fit needs of the data are sums that add up over symbols and stretches of time
(:class:`RegressionSums`). The anchor's coefficients are shrunk to :mod:`.prior`, the features' to zero by a ridge
chosen by cross-validation over blocks of time; with little data the ridge is so large that the member is the anchor
itself. Each symbol's coefficients are then shrunk to those of all symbols.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from training.models.volatility import prior
from training.models.volatility.anchor import TERMS, log_response
from training.models.volatility.fleet_state import FleetState, Float, Ints
from training.models.volatility.level import RatioSums

Features = npt.NDArray[np.floating]

BLOCKS = 5  # of time, for cross-validation
RIDGES = (1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 1e9)
PRIOR_ROWS = 2_000.0  # rows of the usual kind that say what the shipped prior says
POOL_ROWS = 10_000.0  # rows of the pooled data that say what the pooled fit says of a symbol
PRIOR_LEVEL_ROWS = 500.0
POOL_LEVEL_ROWS = 2_000.0


@dataclass(frozen=True, slots=True)
class LinearFleet(FleetState):
    """Two regressions per symbol, the anchor's (S, TERMS) and that with features (S, TERMS + F), and their levels (S,).

    Forecasts are ``level · exp(ln m + x · coefficients)`` with ln m from :func:`.anchor_inputs`.
    """

    anchor: Float
    anchor_level: Float
    coefficients: Float
    level: Float

    def anchor_forecast(self, inputs: Float, index: Ints) -> Float:
        """Return the anchor's mean variance (n,) of the next bars from inputs (n, 1 + TERMS)."""
        logs = _products(inputs[:, 1:], self.anchor, index)
        return np.asarray(self.anchor_level[index] * np.exp(inputs[:, 0] + logs))

    def forecast(self, inputs: Float, features: Features, index: Ints) -> Float:
        """Return the member's mean variance (n,) from inputs (n, 1 + TERMS) and scaled features (n, F)."""
        logs = _products(inputs[:, 1:], self.coefficients[:, :TERMS], index)
        logs += _products(features, self.coefficients[:, TERMS:], index)
        return np.asarray(self.level[index] * np.exp(inputs[:, 0] + logs))


@dataclass(frozen=True, slots=True)
class RegressionSums:
    """Sums over rows, for each of B blocks of time (or B symbols): x xᵀ (B, k, k), x e (B, k), e² (B,) and 1 (B,).

    e is the log target less ln m. Summed in a fixed order, a pooled fit is the same bytes whichever worker ran which
    block.
    """

    xx: Float
    xy: Float
    yy: Float
    count: Float

    @classmethod
    def of(cls, inputs: Float, features: Features, target: Float, weight: Float, block: Ints, size: int) -> Self:
        """Sum rows by their block (n,), which lies in [0, size); a row counts ``weight`` (n,) times."""
        width = TERMS + features.shape[1]
        out = cls(np.zeros((size, width, width)), np.zeros((size, width)), np.zeros(size), np.zeros(size))
        response = log_response(target, inputs)
        for number in np.unique(block):
            rows = block == number
            root = np.sqrt(weight[rows])
            x = np.concatenate([inputs[rows, 1:], features[rows]], axis=1).astype(np.float64) * root[:, None]
            y = response[rows] * root
            out.xx[number], out.xy[number] = x.T @ x, x.T @ y
            out.yy[number], out.count[number] = y @ y, weight[rows].sum()
        return out

    def pooled(self) -> Self:
        """Return the sums over all blocks, as one block."""
        return type(self)(*(getattr(self, n).sum(axis=0, keepdims=True) for n in ("xx", "xy", "yy", "count")))


def choose_ridge(sums: RegressionSums) -> float:
    """Return the ridge with the least squared error on blocks of time that the coefficients were not fitted on.

    Rows whose target reaches into the next block must have been left out of ``sums``. Without two blocks of rows there
    is nothing to choose by, and the ridge is the largest.
    """
    if np.count_nonzero(sums.count) < 2:
        return RIDGES[-1]
    total, errors = sums.pooled(), np.zeros(len(RIDGES))
    for held_out in np.flatnonzero(sums.count):
        xx, xy = total.xx[0] - sums.xx[held_out], total.xy[0] - sums.xy[held_out]
        count = total.count[0] - sums.count[held_out]
        for i, ridge in enumerate(RIDGES):
            b = _solve(xx, xy, count, ridge)
            errors[i] += sums.yy[held_out] - 2.0 * b @ sums.xy[held_out] + b @ sums.xx[held_out] @ b
    return float(RIDGES[int(np.argmin(errors))])


def fit_pooled_linear(sums: RegressionSums, ridge: float) -> LinearFleet:
    """Fit one row for all symbols, without levels yet (see :func:`with_levels`)."""
    pooled = sums.pooled()
    xx, xy, count = pooled.xx[0], pooled.xy[0], float(pooled.count[0])
    anchor = _solve(xx[:TERMS, :TERMS], xy[:TERMS], count, ridge)
    coefficients = _solve(xx, xy, count, ridge)
    return LinearFleet(anchor[None], np.ones(1), coefficients[None], np.ones(1))


def fit_own_linear(sums: RegressionSums, pool: LinearFleet, pooled: RegressionSums, ridge: float) -> LinearFleet:
    """Fit each symbol's row, shrunk to the pooled fit by ``POOL_ROWS`` rows that say exactly what it says.

    ``sums`` are by symbol, ``pooled`` those that the pooled fit came from: of *all* symbols, not of this block, or a
    fit depends on which symbols share the block. Zellner's g-prior centred on the pooled fit.
    """
    count = max(float(pooled.count[0]), 1.0)
    weight = POOL_ROWS * (pooled.xx[0] + _penalty(len(pooled.xy[0]), count, ridge)) / count
    xx, xy = sums.xx + weight, sums.xy + weight @ pool.coefficients[0]
    small = weight[:TERMS, :TERMS]
    anchor_xx, anchor_xy = sums.xx[:, :TERMS, :TERMS] + small, sums.xy[:, :TERMS] + small @ pool.anchor[0]
    anchor = np.linalg.solve(anchor_xx, anchor_xy[..., None])[..., 0]
    ones = np.ones(len(anchor))
    return LinearFleet(anchor, ones, np.linalg.solve(xx, xy[..., None])[..., 0], ones)


def with_levels(
    fleet: LinearFleet,
    inputs: Float,
    features: Features,
    target: Float,
    weight: Float,
    index: Ints,
    pool: LinearFleet | None = None,
) -> LinearFleet:
    """Return the fleet with levels that make mean(y / f) = 1 on these rows, shrunk to the pool's or the prior's."""
    size = len(fleet)
    towards = (prior.LEVEL, prior.LEVEL) if pool is None else (float(pool.anchor_level[0]), float(pool.level[0]))
    rows = PRIOR_LEVEL_ROWS if pool is None else POOL_LEVEL_ROWS
    bare = LinearFleet(fleet.anchor, np.ones(size), fleet.coefficients, np.ones(size))
    anchor = RatioSums.of(target, bare.anchor_forecast(inputs, index), index, weight, size)
    member = RatioSums.of(target, bare.forecast(inputs, features, index), index, weight, size)
    return LinearFleet(fleet.anchor, anchor.level(towards[0], rows), fleet.coefficients, member.level(towards[1], rows))


def _products(x: Features, rows: Float, index: Ints) -> Float:
    """Return x · rows[index] (n,) of x (n, k), without a copy of the coefficients for each row if all share one."""
    if len(rows) == 1:
        return np.asarray(x @ rows[0], np.float64)
    return np.asarray(np.einsum("nk,nk->n", x, rows[index]), np.float64)


def _solve(xx: Float, xy: Float, count: float, ridge: float) -> Float:
    """Return coefficients shrunk to the prior (terms) and to zero (features)."""
    start = np.zeros(len(xy))
    start[:TERMS] = prior.COEFFICIENTS
    penalty = _penalty(len(xy), count, ridge)
    return np.asarray(np.linalg.solve(xx + penalty, xy + penalty @ start))


def _penalty(width: int, count: float, ridge: float) -> Float:
    out = np.zeros((width, width))
    out[:TERMS, :TERMS] = PRIOR_ROWS * prior.MOMENTS
    features = np.arange(TERMS, width)
    out[features, features] = ridge * max(count, 1.0)
    return out
