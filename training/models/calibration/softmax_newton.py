"""Newton's method for softmax(a z + b) of many symbols in one batch: the numerical part of calibration."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from training.metrics.classification import CLASSES
from training.metrics.ratio import Array, Ints

# Positive, so that the network's ranking survives and conformal scores have no ties.
MIN_SCALE = 1e-3
PARAMETERS = 1 + CLASSES
_CONVERGED = 1e-10


def softmax(logits: npt.ArrayLike) -> Array:
    """Return probabilities (…, K) of logits (…, K) without overflow."""
    z = np.asarray(logits, dtype=np.float64)
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def newton(
    z: Array,
    y: Ints,
    row: Ints,
    start: Array,
    information: Array,
    strength: float,
    free: npt.NDArray[np.bool_],
    common: Array | None = None,
) -> Array:
    r"""Minimise each symbol's log loss + strength/2 (θ - start)ᵀ information (θ - start) over its free parameters.

    Steps that do not improve a symbol are halved for that symbol; the scale stays at or above ``MIN_SCALE``. ``common``
    (S, 4), if given, is subtracted from the gradients.

    Parameters
    ----------
    z, y, row
        Logits (n, 3), labels (n,) and symbols (n,), sorted by symbol.
    start, information, free
        Parameters (S, 4) as scale and three biases, (4, 4), and which of the four may move.
    """
    theta = start.copy()
    common = np.zeros_like(start) if common is None else common
    loss = _penalised(z, y, row, theta, start, information, strength, common)
    for _ in range(50):
        gradient, hessian = derivatives(z, y, row, theta)
        gradient += strength * (theta - start) @ information - common
        hessian += strength * information
        mask = np.tile(free, (len(theta), 1))
        # A scale at its minimum whose gradient points further down is fixed; the biases are solved without it.
        mask[(theta[:, 0] <= MIN_SCALE) & (gradient[:, 0] > 0), 0] = False
        gradient *= mask
        # The ridge fixes what has no curvature: a constant added to all biases, and symbols without rows.
        size = np.maximum(np.trace(hessian, axis1=1, axis2=2), 1.0)[:, None, None]
        system = hessian * (mask[:, :, None] & mask[:, None, :]) + np.eye(PARAMETERS) * (
            1e-8 * size + ~mask[:, :, None]
        )
        step = -np.linalg.solve(system, gradient[..., None])[..., 0]
        open_ = -(gradient * step).sum(axis=1) > _CONVERGED
        if not open_.any():
            break
        length = open_.astype(np.float64)
        for _ in range(30):
            trial = theta + length[:, None] * step
            trial[:, 0] = np.where(free[0], np.maximum(trial[:, 0], MIN_SCALE), trial[:, 0])
            trial_loss = _penalised(z, y, row, trial, start, information, strength, common)
            worse = open_ & ~(trial_loss <= loss)
            if not worse.any():
                break
            length[worse] /= 2.0
        better = open_ & (trial_loss <= loss)
        if not better.any():
            break
        theta, loss = np.where(better[:, None], trial, theta), np.where(better, trial_loss, loss)
    return theta


def loss_rows(z: Array, y: Ints, theta: Array, row: Ints) -> Array:
    """Return the log loss (n,) of rows under their symbol's parameters (S, 4)."""
    score = theta[row, :1] * z + theta[row, 1:]
    top = score.max(axis=1)
    return np.asarray(top + np.log(np.exp(score - top[:, None]).sum(axis=1)) - score[np.arange(len(y)), y])


def scores(z: Array, y: Ints, p: Array) -> Array:
    """Return the gradient (n, 4) of each row's log loss where the probabilities are ``p`` (n, 3)."""
    residual = p.copy()
    residual[np.arange(len(y)), y] -= 1.0
    return np.concatenate([(residual * z).sum(axis=1, keepdims=True), residual], axis=1)


def derivatives(z: Array, y: Ints, row: Ints, theta: Array) -> tuple[Array, Array]:
    """Return gradient (S, 4) and Hessian (S, 4, 4) of the summed log loss; rows are sorted by symbol.

    The Hessian of a row is J (diag(p) - p pᵀ) Jᵀ with J = [z, I], the derivative of its logits.
    """
    p = softmax(theta[row, :1] * z + theta[row, 1:])
    mean = (p * z).sum(axis=1, keepdims=True)
    cross = p * (z - mean)
    upper = [(i, j) for i in range(CLASSES) for j in range(i, CLASSES)]
    columns = [scores(z, y, p), (cross * z).sum(axis=1, keepdims=True), cross]
    columns += [(p[:, i] * ((i == j) - p[:, j]))[:, None] for i, j in upper]
    present = np.flatnonzero(np.bincount(row, minlength=len(theta)))
    totals = np.zeros((len(theta), 2 * PARAMETERS + len(upper)))
    totals[present] = np.add.reduceat(np.concatenate(columns, axis=1), np.searchsorted(row, present))
    gradient, curvature = totals[:, :PARAMETERS], totals[:, PARAMETERS:]
    hessian = np.zeros((len(theta), PARAMETERS, PARAMETERS))
    hessian[:, 0] = hessian[:, :, 0] = curvature[:, :PARAMETERS]
    for column, (i, j) in enumerate(upper, start=PARAMETERS):
        hessian[:, 1 + i, 1 + j] = hessian[:, 1 + j, 1 + i] = curvature[:, column]
    return gradient, hessian


def _penalised(
    z: Array, y: Ints, row: Ints, theta: Array, start: Array, information: Array, strength: float, common: Array
) -> Array:
    away = theta - start
    penalty = 0.5 * strength * np.einsum("si,ij,sj->s", away, information, away) - (away * common).sum(axis=1)
    return np.asarray(np.bincount(row, weights=loss_rows(z, y, theta, row), minlength=len(theta)) + penalty)
