"""Shrinkage of a correction of logits by the evidence for it on validation rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq

from training.metrics.classification import check_labels
from training.metrics.clustered import long_run_se
from training.metrics.ratio import Array, Ints
from training.models.calibration.softmax_newton import softmax

ALONE = 4.0  # caution for the rows of one symbol, where chance alone often gives one standard error
_MAX_SHARE = 20.0


def shrinkage_factor(
    base: npt.ArrayLike,
    correction: npt.ArrayLike,
    labels: npt.ArrayLike,
    days: npt.ArrayLike,
    horizon: int = 1,
    caution: float = 1.0,
) -> float:
    r"""Return the share c in [0, 1] of a correction to apply: ``softmax(base + c · correction)``.

    c minimises the log loss on validation and is multiplied by ``max(0, 1 - caution/t²)``, where t is c over its
    standard error: 0 without evidence, and nearly unchanged with much. It is at most 1, because the correction may
    have been chosen on the same rows. The error is clustered by day, because all rows of a day share a shock, and adds
    the covariance of days whose labels overlap. Too few days for a standard error give 0.

    Where early stopping chose the correction on the same rows, t is too large: about one in twelve symbols without
    skill then gets a positive share under :data:`ALONE`, instead of one in fifty.

    Parameters
    ----------
    base, correction
        Logits (n, 3) and what is added to them (n, 3), on validation rows.
    labels, days
        Classes (n,), and each row's day (n,): numbers, or dates of any resolution.
    horizon
        Bars that a label spans.
    caution
        1 shrinks by the estimated signal-to-noise ratio; 4 (:data:`ALONE`) gives 0 below two standard errors.

    References
    ----------
    Casella (1985). An introduction to empirical Bayes data analysis. The American Statistician 39, 83-87 (with the
    positive-part estimate of the signal's variance).
    """
    c, error = _fitted(base, correction, labels, days, horizon)
    if c == 0.0 or not np.isfinite(error):
        return 0.0
    return min(max(0.0, 1.0 - caution * (error / c) ** 2) * c, 1.0)


def standard_errors(
    base: npt.ArrayLike, correction: npt.ArrayLike, labels: npt.ArrayLike, days: npt.ArrayLike, horizon: int = 1
) -> float:
    """Return the best share of a correction in units of its standard error; 0 if the best share is 0.

    The arguments are those of :func:`shrinkage_factor`.
    """
    c, error = _fitted(base, correction, labels, days, horizon)
    return c / error if np.isfinite(error) and error > 0.0 else 0.0


def _fitted(
    base: npt.ArrayLike, correction: npt.ArrayLike, labels: npt.ArrayLike, days: npt.ArrayLike, horizon: int
) -> tuple[float, float]:
    """Return the share c in [0, ``_MAX_SHARE``] with the least log loss, and its standard error (inf if c is 0)."""
    z, d, y = np.asarray(base, np.float64), np.asarray(correction, np.float64), check_labels(labels)
    if _slope(z, d, y, 0.0).sum() >= 0.0:
        return 0.0, np.inf
    c = _MAX_SHARE
    if _slope(z, d, y, _MAX_SHARE).sum() > 0.0:  # the derivative of a convex function rises: one root in between
        c = float(brentq(lambda at: float(_slope(z, d, y, at).sum()), 0.0, _MAX_SHARE, xtol=1e-10))
    p = softmax(z + c * d)
    curvature = float(((p * d**2).sum(axis=1) - (p * d).sum(axis=1) ** 2).sum())
    stamps = np.asarray(days)
    stamps = stamps.astype("datetime64[D]") if stamps.dtype.kind == "M" else stamps
    influence = np.bincount(np.unique(stamps, return_inverse=True)[1], weights=_slope(z, d, y, c))
    return c, float(long_run_se(influence / max(curvature, 1e-12), horizon - 1))


def _slope(z: Array, d: Array, y: Ints, c: float) -> Array:
    """Return the derivative of each row's loss by c (n,)."""
    p = softmax(z + c * d)
    return np.asarray((p * d).sum(axis=1) - d[np.arange(len(y)), y])
