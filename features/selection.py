"""Selection of the most informative features on train rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from configs.errors import DataError

Float = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]

_SAMPLE = 50_000
_CELLS = 8
_MIN_ROWS = 50


def select_features(x: Float32, y: npt.NDArray[np.generic], k: int) -> npt.NDArray[np.int64]:
    """Return the ascending positions of ``k`` features, chosen one by one by ``relevance · (1 − redundancy)``.

    Relevance is the mutual information of the quantile cells of feature and target, so features of the spread of
    returns count too. Redundancy is the largest absolute rank correlation with a feature chosen before, so a copy
    scores 0. After Peng, Long and Ding (2005, IEEE TPAMI 27, sec. 2.3), whose mean redundancy admits copies once many
    features are chosen. Deterministic: rows are sampled evenly, and of equal scores the first column is chosen.

    Parameters
    ----------
    x
        Features (n, F) of *train rows only*: validation or test rows would leak which features work there.
    y
        Target (n,): classes, or numbers, which are divided into quantile cells. Rows with a non-finite target are
        ignored; the caller leaves out rows of unknown class (−1).
    k
        Number of features; all if F ≤ k.

    Raises
    ------
    DataError
        Fewer than 50 rows have a target.
    """
    if x.shape[1] <= k:
        return np.arange(x.shape[1], dtype=np.int64)
    rows = np.flatnonzero(np.isfinite(y.astype(np.float64)))
    if len(rows) < _MIN_ROWS:
        raise DataError(f"feature selection has {len(rows)} train rows; expected at least {_MIN_ROWS}. Add bars.")
    rows = rows[:: max(1, -(-len(rows) // _SAMPLE))]
    ranks = _ranks(x[rows])
    target = y[rows]
    classes = np.unique(target)
    if len(classes) > _CELLS:
        target_cells = np.minimum(
            (_ranks(target[:, None].astype(np.float32))[:, 0] * _CELLS).astype(np.int64), _CELLS - 1
        )
    else:
        target_cells = np.searchsorted(classes, target)
    relevance = _mutual_information(ranks, target_cells)
    centred = ranks - ranks.mean(axis=0)
    norm = np.sqrt((centred**2).sum(axis=0))
    centred /= np.where(norm > 0.0, norm, 1.0).astype(np.float32)

    chosen: list[int] = []
    redundancy = np.zeros(x.shape[1])
    available = np.ones(x.shape[1], bool)
    for _ in range(k):
        score = relevance * (1.0 - redundancy)
        best = int(np.argmax(np.where(available, score, -np.inf)))
        chosen.append(best)
        available[best] = False
        correlation = np.abs(centred.T @ centred[:, best])
        redundancy = np.maximum(redundancy, np.minimum(correlation, 1.0))
    return np.array(sorted(chosen), dtype=np.int64)


def _ranks(x: Float32) -> Float32:
    """Return the mid-ranks of each column scaled to [0, 1); ½ for missing values, so that they are not informative."""
    out = np.full(x.shape, 0.5, np.float32)
    for j in range(x.shape[1]):
        known = np.flatnonzero(~np.isnan(x[:, j]))
        _, inverse, counts = np.unique(x[known, j], return_inverse=True, return_counts=True)
        middle = np.cumsum(counts) - 0.5 * (counts + 1)
        out[known, j] = (middle / max(len(known), 1))[inverse]
    return out


def _mutual_information(ranks: Float32, target: npt.NDArray[np.int64]) -> Float:
    """Return the mutual information (nats) of each column's quantile cells and the target's classes, (F,)."""
    n, classes = len(target), int(target.max()) + 1
    out = np.empty(ranks.shape[1])
    for j in range(ranks.shape[1]):
        cells = np.minimum((ranks[:, j] * _CELLS).astype(np.int64), _CELLS - 1)
        joint = np.bincount(cells * classes + target, minlength=_CELLS * classes).reshape(_CELLS, classes) / n
        expected = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
        used = joint > 0.0
        out[j] = float((joint[used] * np.log(joint[used] / expected[used])).sum())
    return out
