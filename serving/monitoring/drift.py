r"""Distances between the distributions of training and of now. They explain; they raise no alarm.

The population stability index :math:`\sum_b (q_b - p_b) \ln(q_b/p_b)` of shares p and q in B bins is large by chance
when samples are small: without drift it is about :math:`(1/n + 1/m) \chi^2_{B-1}` for samples of n and m. A fixed limit
such as 0.2 therefore means another thing for every sample size; :func:`psi_quantile` is the limit of these sizes.

References
----------
Yurdakul & Naranjo (2020). Statistical properties of the population stability index. J. Risk Model Validation 14.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2, ks_2samp

from training.metrics.ratio import Array


def psi(expected: npt.ArrayLike, observed: npt.ArrayLike, *, are_counts: bool = False) -> float:
    """Return the population stability index of shares, or of counts, (B,) in the same bins.

    Counts get half an observation more in every bin, so that an empty one does not make it infinite.

    Raises
    ------
    ValueError
        Shapes differ, a value is negative or not finite, or a share is 0.
    """
    p, q = np.asarray(expected, dtype=np.float64), np.asarray(observed, dtype=np.float64)
    if p.shape != q.shape or p.ndim != 1 or len(p) < 2:
        raise ValueError(f"bins have shapes {p.shape} and {q.shape}; expected the same (B,) with B ≥ 2")
    if not np.isfinite(p + q).all() or min(p.min(), q.min()) < 0.0:
        raise ValueError("shares and counts must be finite and at least 0")
    if are_counts:
        p, q = p + 0.5, q + 0.5
    if not min(p.min(), q.min()) > 0.0:
        raise ValueError("a share is 0; give counts with are_counts=True")
    p, q = p / p.sum(), q / q.sum()
    return float(((q - p) * np.log(q / p)).sum())


def psi_quantile(bins: int, n: float, m: float, tail: float = 0.01) -> float:
    """Return what the index of two samples of n and m independent rows exceeds with probability ``tail`` by chance."""
    return float((1.0 / n + 1.0 / m) * chi2.isf(tail, bins - 1))


def psi_tail(value: float, bins: int, n: float, m: float) -> float:
    """Return the probability that the index of two samples without drift exceeds ``value``."""
    return float(chi2.sf(value / (1.0 / n + 1.0 / m), bins - 1))


class KolmogorovSmirnov(NamedTuple):
    """The largest distance between two distribution functions, and its p-value for independent rows."""

    distance: float
    p_value: float


def kolmogorov_smirnov(expected: npt.ArrayLike, observed: npt.ArrayLike) -> KolmogorovSmirnov:
    """Return the two-sample statistic of samples (n,) and (m,), NaN left out.

    Raises
    ------
    ValueError
        A sample is empty.
    """
    a, b = (_finite(one) for one in (expected, observed))
    if not len(a) or not len(b):
        raise ValueError(f"samples have {len(a)} and {len(b)} values; expected at least one each")
    found = ks_2samp(a, b)
    return KolmogorovSmirnov(float(found.statistic), float(found.pvalue))


def quantile_edges(sample: npt.ArrayLike, bins: int = 10) -> Array:
    """Return inner edges, at most bins − 1, strictly increasing, that cut a sample (n,) into parts of equal mass."""
    known = _finite(sample)
    if not len(known):
        return np.empty(0)
    return np.unique(np.quantile(known, np.linspace(0.0, 1.0, bins + 1)[1:-1]))


def bin_counts(sample: npt.ArrayLike, edges: Array) -> Array:
    """Return the counts (len(edges) + 1,) of a sample (n,) between inner edges; NaN is left out."""
    cells = np.searchsorted(edges, _finite(sample), side="left")
    return np.bincount(cells, minlength=len(edges) + 1).astype(np.float64)


def _finite(sample: npt.ArrayLike) -> Array:
    values = np.asarray(sample, dtype=np.float64).ravel()
    return values[np.isfinite(values)]
