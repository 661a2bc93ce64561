"""Scores of probabilistic direction forecasts and of variance forecasts, as pure functions.

Functions ending in ``_rows`` keep one value per row so that callers can add them up by day; functions
ending in ``_of`` take confusion counts with any leading axes. A wrong shape, a NaN or a label out of
range is the caller's bug and raises ``ValueError``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

CLASSES = 3
DOWN, SIDEWAYS, UP = range(CLASSES)
BARS_PER_YEAR = 252
CALIBRATION_GRID = 100
CALIBRATION_BINS = 15
_FLOOR = 1e-15


def check_direction(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> tuple[Ints, Array]:
    """Return labels (n,) as int64 and probabilities (n, 3) as float64, refusing what is neither.

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


def check_labels(labels: npt.ArrayLike, classes: int = CLASSES) -> Ints:
    """Return labels (n,) as int64; raise ``ValueError`` unless each is a whole number in [0, classes)."""
    y = np.asarray(labels)
    if y.ndim != 1 or len(y) == 0:
        raise ValueError(f"labels have shape {y.shape}; expected (n,) with n ≥ 1")
    whole = y.astype(np.int64) if np.isfinite(y).all() else np.full(y.shape, -1)
    if (whole != y).any() or whole.min() < 0 or whole.max() >= classes:
        raise ValueError(f"labels must be whole numbers from 0 to {classes - 1}")
    return whole


def check_variance(target: npt.ArrayLike, forecast: npt.ArrayLike) -> tuple[Array, Array]:
    """Return two float64 arrays of one shape; raise ``ValueError`` unless all are finite and positive."""
    y, f = np.asarray(target, dtype=np.float64), np.asarray(forecast, dtype=np.float64)
    if y.shape != f.shape or y.size == 0:
        raise ValueError(f"target has shape {y.shape} and forecast {f.shape}; expected one shape and at least one row")
    for name, values in (("target", y), ("forecast", f)):
        if not np.isfinite(values).all() or (values <= 0).any():
            raise ValueError(f"{name} variances must be finite and positive; leave out bars without movement")
    return y, f


def log_loss_rows(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> Array:
    r"""Return :math:`-\ln p_{y}` of every row, shape (n,), in nats; p is floored at 1e-15.

    References
    ----------
    Good, I. J. (1952). Rational decisions. JRSS B 14, 107-114.
    """
    y, p = check_direction(labels, probabilities)
    return np.asarray(-np.log(np.maximum(p[np.arange(len(y)), y], _FLOOR)))


def log_loss(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> float:
    """Return the mean of :func:`log_loss_rows`."""
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
    """Return the mean of :func:`brier_rows`."""
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
    """Return the share of rows whose class is right."""
    return float(accuracy_of(confusion_matrix(labels, predicted)))


def balanced_accuracy(labels: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Return the mean recall over the classes that occur."""
    return float(balanced_accuracy_of(confusion_matrix(labels, predicted)))


def mcc(labels: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Return the multiclass Matthews correlation, see :func:`mcc_of`."""
    return float(mcc_of(confusion_matrix(labels, predicted)))


def up_down_hits(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> tuple[Array, Array]:
    """Return per row (n,) whether the likelier of up and down came true, and whether the row moved at all.

    Sideways rows count in neither; equal probabilities are half a hit.
    """
    y, p = check_direction(labels, probabilities)
    lean = np.sign(p[:, UP] - p[:, DOWN])
    moved = (y != SIDEWAYS).astype(np.float64)
    return moved * (1.0 + lean * (y - SIDEWAYS)) / 2.0, moved


def up_down_accuracy(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> float:
    """Return how often the likelier of up and down was right where the price moved; NaN if it never did."""
    hits, moved = up_down_hits(labels, probabilities)
    return float(ratio(hits.sum(), moved.sum()))


def calibration_cells(confidence: Array) -> Ints:
    """Return the cell (n,) of each confidence on the fixed grid that makes calibration counts additive."""
    return np.asarray(np.minimum(confidence * CALIBRATION_GRID, CALIBRATION_GRID - 1), dtype=np.int64)


def equal_mass_bins(counts: Array, bins: int = CALIBRATION_BINS) -> Ints:
    """Return the bin (grid,) of each grid cell so that the bins hold nearly equal counts."""
    middle = np.cumsum(counts) - counts / 2.0
    return np.asarray(np.minimum(middle / max(counts.sum(), 1.0) * bins, bins - 1), dtype=np.int64)


def calibration_error_of(gaps: Array, rows: Array, bins_of_cells: Ints, bins: int = CALIBRATION_BINS) -> Array:
    r"""Return :math:`\sum_b |\sum_{i \in b} (c_i - 1[\text{right}_i])| / n`, shape (…).

    ``gaps`` (…, grid) sums confidence minus correctness by grid cell, ``rows`` (…) counts all rows.
    """
    grouped = np.zeros((*gaps.shape[:-1], bins))
    for cell in np.flatnonzero(np.abs(gaps).reshape(-1, gaps.shape[-1]).sum(axis=0)):
        grouped[..., bins_of_cells[cell]] += gaps[..., cell]
    return ratio(np.abs(grouped).sum(axis=-1), rows)


def binary_calibration_error(confidence: npt.ArrayLike, right: npt.ArrayLike) -> float:
    """Return the expected calibration error of confidences (n,) in [0, 1] that an event (n,) comes true."""
    c, event = np.asarray(confidence, dtype=np.float64), np.asarray(right, dtype=np.float64)
    if c.ndim != 1 or c.shape != event.shape or len(c) == 0:
        raise ValueError(f"confidence has shape {c.shape} and outcomes {event.shape}; expected (n,) twice with n ≥ 1")
    if not np.isfinite(c).all() or c.min() < 0 or c.max() > 1 + 1e-9 or not np.isin(event, (0.0, 1.0)).all():
        raise ValueError("confidence must lie in [0, 1] and outcomes must be 0 or 1")
    cell = calibration_cells(c)
    counts = np.bincount(cell, minlength=CALIBRATION_GRID).astype(np.float64)
    gaps = np.bincount(cell, weights=c - event, minlength=CALIBRATION_GRID)
    return float(calibration_error_of(np.asarray(gaps), np.asarray(counts.sum()), equal_mass_bins(counts)))


def expected_calibration_error(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> float:
    """Return the calibration error of the top class: 15 bins of nearly equal mass, cut on a grid of 0.01.

    Noise alone makes it positive: about ``sqrt(bins / n) / 2`` for a perfect forecaster.

    References
    ----------
    Naeini, Cooper & Hauskrecht (2015), AAAI, eq. 3; Nixon et al. (2019), CVPR workshops, on equal mass.
    """
    y, p = check_direction(labels, probabilities)
    return binary_calibration_error(p.max(axis=1), p.argmax(axis=1) == y)


def classwise_calibration_error(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> float:
    """Return the mean over classes of the calibration error of that class' probability.

    References
    ----------
    Kull et al. (2019). Beyond temperature scaling. NeurIPS, eq. 4.
    """
    y, p = check_direction(labels, probabilities)
    return float(np.mean([binary_calibration_error(p[:, k], y == k) for k in range(CLASSES)]))


def qlike_rows(target: npt.ArrayLike, forecast: npt.ArrayLike) -> Array:
    r"""Return :math:`y/f - \ln(y/f) - 1` of every row: zero where f = y, robust to noise in y.

    References
    ----------
    Patton, A. J. (2011). Volatility forecast comparison using imperfect volatility proxies. J. Econometrics 160, eq. 5.
    """
    y, f = check_variance(target, forecast)
    excess = (y - f) / f
    near = np.abs(excess) < 0.5
    # log1p keeps the digits that y/f - ln(y/f) - 1 cancels when the forecast is close.
    close = excess - np.log1p(np.where(near, excess, 0.0))
    return np.asarray(np.maximum(np.where(near, close, y / f - (np.log(y) - np.log(f)) - 1.0), 0.0))


def qlike(target: npt.ArrayLike, forecast: npt.ArrayLike) -> float:
    """Return the mean of :func:`qlike_rows`."""
    return float(qlike_rows(target, forecast).mean())


def annualised_vol(variance: Array) -> Array:
    """Return √(252 v) of per-bar variances."""
    return np.sqrt(BARS_PER_YEAR * variance)


def vol_mse(target: npt.ArrayLike, forecast: npt.ArrayLike) -> float:
    """Return the mean squared error of annualised volatility √(252 v), both given as per-bar variance."""
    y, f = check_variance(target, forecast)
    return float(((annualised_vol(y) - annualised_vol(f)) ** 2).mean())


def vol_r2(target: npt.ArrayLike, forecast: npt.ArrayLike) -> float:
    """Return 1 - SSE/SST of annualised volatility √(252 v) around its mean over all rows; NaN if it never varies."""
    y, f = (annualised_vol(v) for v in check_variance(target, forecast))
    return float(1.0 - ratio(((y - f) ** 2).sum(), ((y - y.mean()) ** 2).sum()))


def ratio(numerator: npt.ArrayLike, denominator: npt.ArrayLike) -> Array:
    """Return numerator / denominator, NaN where the denominator is zero."""
    top, bottom = np.broadcast_arrays(np.asarray(numerator, np.float64), np.asarray(denominator, np.float64))
    return np.asarray(np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom != 0))
