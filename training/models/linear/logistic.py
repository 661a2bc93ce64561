"""Ridge-regularised multinomial logistic regression on the last bar's features."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from training.data.arrays import Float32
from training.metrics.classification import CLASSES, check_labels
from training.metrics.ratio import Array, Ints
from training.models.calibration.softmax_newton import softmax
from training.models.linear.class_prior import check_symbol_row

RIDGE_GRID = (30.0, 300.0, 3_000.0, 30_000.0, 300_000.0)


@dataclass(frozen=True, slots=True)
class LogisticRegression:
    r"""Multinomial ridge regression on the last bar's scaled features, one per symbol or one for all.

    Minimises :math:`\sum_i -\ln p_{i,y_i} + \frac{\lambda}{2} \|W - W_0\|^2` with the intercept free.

    Attributes
    ----------
    weight, intercept
        Shapes (S, F, 3) float32 and (S, 3). A pooled fit has S = 1.
    ridge
        The λ chosen on validation, (S,).
    """

    weight: Float32
    intercept: Array
    ridge: Array

    @classmethod
    def fit_pooled(
        cls,
        features: Float32,
        labels: npt.ArrayLike,
        train: npt.NDArray[np.bool_],
        valid: npt.NDArray[np.bool_],
        grid: tuple[float, ...] = RIDGE_GRID,
        max_rows: int = 400_000,
        ridge: Array | None = None,
    ) -> Self:
        """Fit one regression for all rows, thinned evenly to ``max_rows`` training rows.

        Parameters
        ----------
        features, labels
            Shapes (n, F), without NaN and scaled to about unit variance, and (n,).
        train, valid
            Boolean (n,): rows the weights are fitted on, and rows the ridge is chosen on.
        grid, ridge
            The ridges to choose from, or the one to use (1,).
        """
        labels = check_labels(labels)
        rows = np.flatnonzero(train)
        rows = rows[:: max(1, -(-len(rows) // max_rows))]
        chosen = np.flatnonzero(valid)[:: max(1, -(-int(valid.sum()) // max_rows))]
        start = np.zeros((features.shape[1], CLASSES), dtype=np.float32)
        if ridge is not None:
            grid = (float(ridge[0]),)
        weight, intercept, best = _fit(features, labels, rows, chosen, start, grid)
        return cls(weight[None], intercept[None], np.array([best]))

    @classmethod
    def fit_per_symbol(
        cls,
        features: Float32,
        labels: npt.ArrayLike,
        symbol_row: npt.ArrayLike,
        symbols: int,
        train: npt.NDArray[np.bool_],
        valid: npt.NDArray[np.bool_],
        center: Self | None = None,
        grid: tuple[float, ...] = RIDGE_GRID,
        ridge: Array | None = None,
    ) -> Self:
        """Fit one regression per symbol, each with the ridge that has the least loss on its own validation rows.

        With ``center``, a pooled fit, weights shrink to the pooled ones instead of to zero. A symbol without
        training rows gets the centre, or equal probabilities; one whose features are not finite gets NaN, so that the
        other symbols are unaffected. Parameters are those of :meth:`fit_pooled`, with ``symbol_row`` (n,) and
        ``ridge`` (S,).
        """
        y = check_labels(labels)
        row = check_symbol_row(symbol_row, len(y), symbols)
        start = np.zeros((features.shape[1], CLASSES), dtype=np.float32) if center is None else center.weight[0]
        weight = np.tile(start, (symbols, 1, 1))
        intercept = np.tile(np.zeros(CLASSES) if center is None else center.intercept[0], (symbols, 1))
        found = np.full(symbols, grid[-1])
        for symbol, rows in _by_symbol(row, symbols):
            fit, choose = rows[train[rows]], rows[valid[rows]]
            if not np.isfinite(features[rows]).all():
                weight[symbol], intercept[symbol] = np.nan, np.nan
            elif len(fit):
                choices = grid if ridge is None else (float(ridge[symbol]),)
                weight[symbol], intercept[symbol], found[symbol] = _fit(features, y, fit, choose, start, choices)
        return cls(weight, intercept, found)

    def predict(self, features: Float32, symbol_row: npt.ArrayLike) -> Array:
        """Return probabilities (n, 3) of features (n, F); a pooled fit ignores ``symbol_row``."""
        return softmax(self.logits(features, symbol_row))

    def logits(self, features: Float32, symbol_row: npt.ArrayLike) -> Array:
        """Return the logits (n, 3) of features (n, F); NaN for a row that is not finite."""
        with np.errstate(invalid="ignore"):
            if len(self.weight) == 1:
                return np.asarray(features @ self.weight[0] + self.intercept[0])
            row = check_symbol_row(symbol_row, len(features), len(self.weight))
            logits = np.empty((len(features), CLASSES))
            for symbol, rows in _by_symbol(row, len(self.weight)):
                logits[rows] = features[rows] @ self.weight[symbol] + self.intercept[symbol]
            return logits

    def take(self, symbols: npt.ArrayLike) -> Self:
        """Return the regressions of the symbols at these positions; a pooled one is returned unchanged."""
        if len(self.weight) == 1:
            return self
        rows = np.asarray(symbols)
        return type(self)(self.weight[rows], self.intercept[rows], self.ridge[rows])

    def to_arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return ``weight`` (S, F, 3), ``intercept`` (S, 3) and ``ridge`` (S,)."""
        return {"weight": self.weight, "intercept": self.intercept, "ridge": self.ridge}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[np.generic]]) -> Self:
        """Invert :meth:`to_arrays`."""
        weight, intercept, ridge = (arrays[key] for key in ("weight", "intercept", "ridge"))
        return cls(weight.astype(np.float32), intercept.astype(np.float64), ridge.astype(np.float64))


def _fit(
    features: Float32, labels: Ints, train: Ints, valid: Ints, start: Float32, grid: tuple[float, ...]
) -> tuple[Float32, Array, float]:
    """Return weights (F, 3), intercept (3,) and the ridge with the least log loss on the validation rows."""
    if len(train) == 0:
        raise ValueError("logistic regression got no training rows; expected at least one")
    x = features[train]
    mean = x.mean(axis=0, dtype=np.float64).astype(np.float32)
    if not np.isfinite(mean).all():
        raise ValueError("features contain NaN or infinite values; scale and fill them before fitting")
    x -= mean
    weight, intercept = _minimise(x, labels[train], start, np.asarray(grid, dtype=np.float32))
    intercept = intercept - np.einsum("f,gfk->gk", mean, weight)
    best = len(grid) - 1
    if len(valid):
        scores = np.einsum("nf,gfk->gnk", features[valid], weight, optimize=True) + intercept[:, None]
        if not np.isfinite(scores).all():
            raise ValueError("validation features contain NaN or infinite values; scale and fill them before fitting")
        chance = softmax(scores)[:, np.arange(len(valid)), labels[valid]]
        best = int(np.argmin(-np.log(np.maximum(chance, 1e-15)).mean(axis=1)))
    return weight[best], intercept[best].astype(np.float64), grid[best]


def _minimise(
    x: Float32, y: Ints, start: Float32, ridge: Float32, rounds: int = 200, tolerance: float = 3e-5
) -> tuple[Float32, Float32]:
    r"""Return weights (G, F, 3) and intercepts (G, 3) of all G ridges on centred features (n, F).

    Every round minimises the quadratic that bounds the loss from above, whose Hessian
    :math:`\frac{1}{2}(I - 11^\top/3) \otimes X^\top X` is the same in each: one eigendecomposition serves all
    rounds and ridges, and the loss cannot rise. Near equal classes a round divides the error by three.

    References
    ----------
    Böhning (1992). Multinomial logistic regression algorithm. Ann. Inst. Statist. Math. 44, 197-200.
    """
    count, ridges = len(x), len(ridge)
    values, vectors = np.linalg.eigh((x.T @ x).astype(np.float64))
    vectors = vectors.astype(np.float32)
    curvature = np.maximum(values, 0.0).astype(np.float32)[:, None] / 2.0 + ridge[None, :]
    weight = np.repeat(start[:, None, :], ridges, axis=1)
    frequency = np.bincount(y, minlength=CLASSES) + 1.0
    intercept = np.tile(np.log(frequency / frequency.sum()).astype(np.float32), (ridges, 1))
    once = np.zeros((count, CLASSES), dtype=np.float32)
    once[np.arange(count), y] = 1.0
    for _ in range(rounds):
        residual = np.zeros_like(weight)
        surplus = np.zeros_like(intercept)
        for part in _chunks(count):
            p = (x[part] @ weight.reshape(len(weight), -1)).reshape(-1, ridges, CLASSES) + intercept
            p -= p.max(axis=2, keepdims=True)
            np.exp(p, out=p)
            p /= p.sum(axis=2, keepdims=True)
            p -= once[part, None, :]
            residual += (x[part].T @ p.reshape(len(p), -1)).reshape(weight.shape)
            surplus += p.sum(axis=0)
        residual += ridge[None, :, None] * (weight - start[:, None, :])
        rotated = (vectors.T @ residual.reshape(len(weight), -1)).reshape(weight.shape) / curvature[:, :, None]
        step = (vectors @ rotated.reshape(len(weight), -1)).reshape(weight.shape)
        shift = 2.0 * surplus / count
        weight -= step
        intercept -= shift
        # A step's effect on the logits, as a standard deviation over rows.
        effect = np.sqrt((np.maximum(values, 0.0)[:, None, None] * rotated**2).sum(axis=0).max() / count)
        if max(float(effect), float(np.abs(shift).max())) < tolerance:
            break
    return np.ascontiguousarray(weight.transpose(1, 0, 2)), intercept


def _chunks(count: int, size: int = 16_384) -> Iterator[slice]:
    return (slice(first, min(first + size, count)) for first in range(0, count, size))


def _by_symbol(row: Ints, symbols: int) -> Iterator[tuple[int, Ints]]:
    order = np.argsort(row, kind="stable")
    ends = np.cumsum(np.bincount(row, minlength=symbols))
    return ((s, part) for s, part in enumerate(np.split(order, ends[:-1])) if len(part))
