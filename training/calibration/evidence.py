"""How much of a correction the validation rows vouch for."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from training.calibration.newton import softmax
from training.evaluation.metrics import Array, check_labels

ALONE = 4.0  # caution for the rows of one symbol, where chance alone often gives one standard error
_ROUNDS = 50
_CONVERGED = 1e-10
_FEWEST_DAYS = 4


def kept_share(
    base: npt.ArrayLike, correction: npt.ArrayLike, labels: npt.ArrayLike, days: npt.ArrayLike, caution: float = 1.0
) -> float:
    r"""Return the share c in [0, 1] of a correction of logits to keep: ``softmax(base + c · correction)``.

    c minimises the log loss on validation and is multiplied by ``max(0, 1 - caution/t²)``, t being c over its standard
    error clustered by day: without evidence nothing is kept, and much evidence costs nothing. Early stopping chose the
    correction on the same rows, so it is never amplified.

    Parameters
    ----------
    base, correction, labels, days
        Validation rows: logits (n, 3), what is added to them (n, 3), classes (n,), and any value by day (n,).
    caution
        1 is the positive-part shrinkage of James and Stein; 4 (:data:`ALONE`) keeps nothing below two standard errors.

    References
    ----------
    Efron & Morris (1973). Stein's estimation rule and its competitors. JASA 68, 117-130.
    """
    z, d, y = np.asarray(base, np.float64), np.asarray(correction, np.float64), check_labels(labels)
    if not d.any():
        return 0.0
    c = 1.0
    for _ in range(_ROUNDS):
        score, curvature = _derivatives(z + c * d, d, y)
        step = -score.sum() / max(curvature, 1e-12)
        c = float(np.clip(c + step, -10.0, 10.0))
        if abs(step) < _CONVERGED:
            break
    score, curvature = _derivatives(z + c * d, d, y)
    _, group = np.unique(np.asarray(days), return_inverse=True)
    if group.max() >= _FEWEST_DAYS:
        score = np.bincount(group, weights=score).astype(np.float64)
    error = float(np.sqrt((score**2).sum())) / max(curvature, 1e-12)
    if c <= 0:
        return 0.0
    return min(max(0.0, 1.0 - caution * (error / c) ** 2) * c, 1.0)


def _derivatives(z: Array, d: Array, y: npt.NDArray[np.int64]) -> tuple[Array, float]:
    """Return each row's derivative of the loss by c (n,), and the sum of the second ones."""
    p = softmax(z)
    mean = (p * d).sum(axis=1)
    return mean - d[np.arange(len(y)), y], float(((p * d**2).sum(axis=1) - mean**2).sum())
