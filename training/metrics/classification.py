"""Scores of probabilistic direction forecasts, as pure functions.

Functions ending in ``_rows`` return one value per row so that callers can sum them by day; functions
ending in ``_of`` take confusion counts with any leading axes. A wrong shape, a NaN or a label out of
range is the caller's bug and raises ``ValueError``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from training.metrics.ratio import Array, Ints, ratio

CLASSES = 3
DOWN, SIDEWAYS, UP = range(CLASSES)
_FLOOR = 1e-15


def check_labels(labels: npt.ArrayLike, classes: int = CLASSES) -> Ints:
    """Return labels (n,) as int64; raise ``ValueError`` unless each is an integer in [0, classes)."""
    y = np.asarray(labels)
    if y.ndim != 1 or len(y) == 0:
        raise ValueError(f"labels have shape {y.shape}; expected (n,) with n ≥ 1")
    integers = y.astype(np.int64) if np.isfinite(y).all() else np.full(y.shape, -1)
    if (integers != y).any() or integers.min() < 0 or integers.max() >= classes:
        raise ValueError(f"labels must be integers from 0 to {classes - 1}")
    return integers


def check_direction(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> tuple[Ints, Array]:
    """Return labels (n,) as int64 and probabilities (n, 3) as float64.

    Raises
    ------
    ValueError
        Shapes differ, there are no rows, a label is not a class, or a row is not a distribution
        (negative, not finite, or a sum further than 1e-3 from one).
    """
    y = check_labels(labels)
    p = np.asarray(probabilities, dtype=np.float64)
    if p.shape != (len(y), CLASSES):
        raise ValueError(f"probabilities have shape {p.shape}; expected ({len(y)}, {CLASSES}) to match the labels")
    if not np.isfinite(p).all() or (p < 0).any() or np.abs(p.sum(axis=1) - 1.0).max() > 1e-3:
        raise ValueError("probabilities must be finite, non-negative and sum to one in every row")
    return y, p


def log_loss_rows(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> Array:
    r"""Return :math:`-\ln p_{y}` of every row, shape (n,), in nats; p is floored at 1e-15.

    References
    ----------
    Good, I. J. (1952). Rational decisions. JRSS B 14, 107-114.
    """
    y, p = check_direction(labels, probabilities)
    return np.asarray(-np.log(np.maximum(p[np.arange(len(y)), y], _FLOOR)))


def log_loss(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> float:
    """Return the mean of :func:`log_loss_rows`, in nats; labels (N,) and probabilities (N, 3)."""
    return float(log_loss_rows(labels, probabilities).mean())


def brier_rows(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> Array:
    r"""Return :math:`\sum_k (p_k - 1[y = k])^2` of every row, shape (n,), between 0 and 2.

    References
    ----------
    Brier, G. W. (1950). Verification of forecasts expressed in terms of probability. MWR 78, 1-3, eq. 2.
    """
    y, p = check_direction(labels, probabilities)
    return np.asarray(((p - np.eye(CLASSES)[y]) ** 2).sum(axis=1))


def brier(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> float:
    """Return the mean of :func:`brier_rows`, 0 to 2; labels (N,) and probabilities (N, 3)."""
    return float(brier_rows(labels, probabilities).mean())


def confusion_matrix(labels: npt.ArrayLike, predicted: npt.ArrayLike, classes: int = CLASSES) -> Array:
    """Return counts (classes, classes): rows are the true class, columns the predicted one."""
    y, z = check_labels(labels, classes), check_labels(predicted, classes)
    if y.shape != z.shape:
        raise ValueError(f"labels have shape {y.shape} and predictions {z.shape}; expected the same")
    counts = np.bincount(y * classes + z, minlength=classes**2)
    return np.asarray(counts.reshape(classes, classes), dtype=np.float64)


def accuracy_of(confusion: Array) -> Array:
    """Return the share of counts (…, K, K) on the diagonal, shape (…); NaN where there are none."""
    return ratio(np.trace(confusion, axis1=-2, axis2=-1), confusion.sum(axis=(-2, -1)))


def balanced_accuracy_of(confusion: Array) -> Array:
    """Return the mean recall over the classes that occur in counts (…, K, K), shape (…)."""
    occurs = confusion.sum(axis=-1)
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    recall = np.divide(hits, occurs, out=np.zeros_like(occurs), where=occurs > 0)
    return ratio(recall.sum(axis=-1), (occurs > 0).sum(axis=-1).astype(np.float64))


def mcc_of(confusion: Array) -> Array:
    r"""Return the multiclass Matthews correlation of counts (…, K, K), shape (…), in [-1, 1].

    With n counts, c on the diagonal, t true and p predicted per class:
    :math:`(c n - t \cdot p) / \sqrt{(n^2 - p \cdot p)(n^2 - t \cdot t)}`; 0 where either side is constant.

    References
    ----------
    Gorodkin, J. (2004). Comparing two K-category assignments by a K-category correlation coefficient.
    Comput. Biol. Chem. 28, 367-374.
    """
    true, predicted = confusion.sum(axis=-1), confusion.sum(axis=-2)
    n = true.sum(axis=-1)
    covariance = np.trace(confusion, axis1=-2, axis2=-1) * n - (true * predicted).sum(axis=-1)
    spread = np.sqrt(n**2 - (predicted**2).sum(axis=-1)) * np.sqrt(n**2 - (true**2).sum(axis=-1))
    return np.asarray(np.divide(covariance, spread, out=np.zeros_like(spread), where=spread > 0))


def accuracy(labels: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Return the share of rows whose class is predicted correctly; labels and predicted classes (N,)."""
    return float(accuracy_of(confusion_matrix(labels, predicted)))


def balanced_accuracy(labels: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Return the mean recall over the classes that occur; labels and predicted classes (N,)."""
    return float(balanced_accuracy_of(confusion_matrix(labels, predicted)))


def mcc(labels: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Return the multiclass Matthews correlation of labels and predicted classes (N,), see :func:`mcc_of`."""
    return float(mcc_of(confusion_matrix(labels, predicted)))


def up_down_hits(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> tuple[Array, Array]:
    """Return per row (n,) whether the likelier of up and down was observed, and whether the price moved.

    Labels are (n,), probabilities (n, 3). Both are 0 for sideways rows; equal probabilities are half a hit.
    """
    y, p = check_direction(labels, probabilities)
    lean = np.sign(p[:, UP] - p[:, DOWN])
    moved = (y != SIDEWAYS).astype(np.float64)
    return moved * (1.0 + lean * (y - SIDEWAYS)) / 2.0, moved


def up_down_accuracy(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> float:
    """Return how often the likelier of up and down was right where the price moved; NaN if it never did.

    Labels are (n,), probabilities (n, 3).
    """
    hits, moved = up_down_hits(labels, probabilities)
    return float(ratio(hits.sum(), moved.sum()))
