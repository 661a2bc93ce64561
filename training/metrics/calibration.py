"""Calibration errors of class probabilities, computed from counts on a fixed grid.

Grid counts add up over days and blocks of symbols; the bins of nearly equal mass are cut afterwards, from the total.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from training.metrics.classification import CLASSES, check_direction
from training.metrics.ratio import Array, Ints, ratio

CALIBRATION_GRID = 100
CALIBRATION_BINS = 15


def calibration_cells(confidence: Array) -> Ints:
    """Return the grid cell (n,) of each confidence; on one fixed grid calibration counts are additive."""
    return np.asarray(np.minimum(confidence * CALIBRATION_GRID, CALIBRATION_GRID - 1), dtype=np.int64)


def equal_mass_bins(counts: Array, bins: int = CALIBRATION_BINS) -> Ints:
    """Return the bin (grid,) of each grid cell such that bins have nearly equal counts."""
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
    """Return the expected calibration error of probabilities (n,) of an event with outcomes (n,) in {0, 1}."""
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
    """Return the mean over classes of that class' calibration error; labels (N,) and probabilities (N, 3).

    References
    ----------
    Kull et al. (2019). Beyond temperature scaling. NeurIPS, eq. 4.
    """
    y, p = check_direction(labels, probabilities)
    return float(np.mean([binary_calibration_error(p[:, k], y == k) for k in range(CLASSES)]))
