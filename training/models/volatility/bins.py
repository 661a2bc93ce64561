"""Bins of features for boosting, whose edges are weighted quantiles.

scikit-learn would find the same bins by itself, but sorts the rows again for every quantile of every feature where rows
have weights: 60 sorts a feature, most of the time of a fit. A model that is fitted on :meth:`Bins.codes`, few distinct
numbers, has the same trees, with codes as thresholds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from training.models.volatility.fleet_state import Float, Ints
from training.models.volatility.trees import Float32


@dataclass(frozen=True, slots=True)
class Bins:
    """The bins of F features: bin b has the values above ``edges[b - 1]`` up to ``edges[b]``, the last one all above.

    Each bin has a row with weight, so that neighbouring codes differ by 1.
    """

    edges: Sequence[Float]

    @classmethod
    def of(cls, x: Float32, weight: Float, most: int) -> Self:
        """Return at most ``most`` bins of each column of ``x`` (n, F), with about equal sums of ``weight`` (n,)."""
        rows = weight > 0.0
        columns = np.asarray(x[rows].T, np.float64)
        return cls([_edges(column, weight[rows], most) for column in columns])

    def codes(self, x: Float32) -> Float32:
        """Return the bin of each value of ``x``, (n, F)."""
        out = np.empty(x.shape, np.float32)
        for column, edges in enumerate(self.edges):
            out[:, column] = np.searchsorted(edges, x[:, column])
        return out

    def thresholds(self, feature: Ints, code: Float) -> Float:
        """Return the edges between the bins up to ``code`` (N,) of these features (N,) and those above it."""
        return np.array([self.edges[at][int(below)] for at, below in zip(feature, code, strict=True)], np.float64)


def _edges(column: Float, weight: Float, most: int) -> Float:
    """Return the edges of one feature: midpoints of its values if these are few, else its quantiles."""
    order = np.argsort(column)
    values, sums = column[order], np.cumsum(weight[order])
    distinct = np.unique(values)
    edges = 0.5 * (distinct[1:] + distinct[:-1]) if len(distinct) <= most else _quantiles(values, sums, most)
    filled = np.bincount(np.searchsorted(edges, distinct), minlength=len(edges) + 1) > 0
    edges = edges[filled[:-1]]
    return edges if filled[-1] else edges[:-1]


def _quantiles(values: Float, sums: Float, most: int) -> Float:
    """Return the distinct quantiles of sorted values with cumulative weights: the mean of two where one is between."""
    wanted = np.linspace(0.0, 100.0, most + 1)[1:-1] / 100.0 * sums[-1]
    last = len(values) - 1
    at = np.minimum(np.searchsorted(sums, wanted), last)
    between = sums[at] - wanted <= np.finfo(np.float64).eps
    return np.unique(np.where(between, 0.5 * (values[at] + values[np.minimum(at + 1, last)]), values[at]))
