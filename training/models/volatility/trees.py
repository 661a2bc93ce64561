"""Fitted regression trees as plain arrays, evaluated with numpy: what forest and boosting have in common.

scikit-learn grows the trees; nothing of it is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from training.models.volatility.fleet_state import FleetState, Float, Ints

Float32 = npt.NDArray[np.float32]

_CHUNK = 256  # rows walked together through all trees: their features and positions stay in the cache
_DENSE_STEPS = 6  # then most rows are in leaves, and only the others are walked: boosted trees have long branches


class Tree(NamedTuple):
    """One tree as its library holds it: (nodes,) arrays; a leaf's ``left`` is negative.

    A row goes to ``left`` if its value of ``feature`` is ≤ ``threshold`` (float64), else to ``right``.
    """

    left: npt.NDArray[np.integer[Any]]
    right: npt.NDArray[np.integer[Any]]
    feature: npt.NDArray[np.integer[Any]]
    threshold: Float
    value: Float


@dataclass(frozen=True, slots=True)
class TreeFleet(FleetState):
    """Sums of trees, one sum per symbol: split column, threshold, left child and value, each (S, T, nodes), padded.

    A row goes to ``child`` if its value is ≤ threshold, else to ``child + 1``. A leaf is its own child and its
    threshold is +∞, so rows stay there however deep the others go. ``depth`` (S,) is the longest path, ``intercept``
    (S,) is added to the sum.
    """

    feature: npt.NDArray[np.int32]
    threshold: Float32
    child: npt.NDArray[np.int32]
    value: Float32
    depth: npt.NDArray[np.int32]
    intercept: Float

    def predict(self, x: Float32, index: Ints) -> Float:
        """Return the sum of leaf values (n,) of features (n, F), each row through the trees at ``index`` (n,)."""
        _, trees, nodes = self.feature.shape
        feature, threshold = self.feature.ravel(), self.threshold.ravel()
        child, value = self.child.ravel(), self.value.ravel()
        out = np.empty(len(x))
        for start in range(0, len(x), _CHUNK):
            rows = slice(start, start + _CHUNK)
            flat = np.ascontiguousarray(x[rows], dtype=np.float32)
            base, flat = np.repeat(np.arange(len(flat)) * flat.shape[1], trees), flat.ravel()
            origin = (index[rows, None] * (trees * nodes) + np.arange(trees) * nodes).ravel()  # (rows · trees,)
            node, walked, at = np.empty_like(origin), np.arange(len(origin)), origin
            for step in range(int(self.depth[index[rows]].max(initial=0))):
                limit = threshold.take(at)
                if step >= _DENSE_STEPS and step % 2 == 0:
                    node[walked], inner = at, np.flatnonzero(limit < np.inf)
                    walked, at, base, origin, limit = (part[inner] for part in (walked, at, base, origin, limit))
                at = origin + child.take(at) + (flat.take(base + feature.take(at)) > limit)
            node[walked] = at
            out[rows] = value.take(node).reshape(-1, trees).sum(axis=1, dtype=np.float64)
        return out + self.intercept[index]

    @classmethod
    def of(cls, trees: Sequence[Tree], intercept: float = 0.0) -> Self:
        """Return the sum of these trees as a fleet of one.

        scikit-learn compares with float64 thresholds. For float32 x, ``x ≤ t`` holds exactly when ``x ≤`` the largest
        float32 that is ``≤ t``, so thresholds are rounded down and every row takes the same path.
        """
        parts = [_breadth_first(tree) for tree in trees]
        nodes = max(len(part[0]) for part, _ in parts)
        arrays = [
            np.stack([_pad(part[k][None, None], nodes, fill)[0, 0] for part, _ in parts])[None]
            for k, fill in enumerate((0, np.inf, 0, 0.0))
        ]
        feature, threshold, child, value = arrays
        depth = np.array([max(depth for _, depth in parts)], dtype=np.int32)
        return cls(feature, threshold, child, value, depth, np.array([intercept]))

    @classmethod
    def concat(cls, fleets: Sequence[Self]) -> Self:
        """Join fleets along the symbol axis, padding each to the widest; they must hold equally many trees."""
        nodes = max(fleet.feature.shape[2] for fleet in fleets)
        padding = {"feature": 0, "threshold": np.inf, "child": 0, "value": 0.0}
        arrays = {
            name: np.concatenate([_pad(getattr(fleet, name), nodes, fill) for fleet in fleets])
            for name, fill in padding.items()
        }
        for name in ("depth", "intercept"):
            arrays[name] = np.concatenate([getattr(fleet, name) for fleet in fleets])
        return cls.from_arrays(arrays)

    @classmethod
    def mean(cls, fleets: Sequence[Self]) -> Self:
        """Return the fleet whose sums are the means of those of fleets with equally many symbols."""
        nodes, share = max(fleet.feature.shape[2] for fleet in fleets), 1.0 / len(fleets)
        padding = {"feature": 0, "threshold": np.inf, "child": 0, "value": 0.0}
        arrays: dict[str, Any] = {
            name: np.concatenate([_pad(getattr(fleet, name), nodes, fill) for fleet in fleets], axis=1)
            for name, fill in padding.items()
        }
        arrays["value"] = (share * arrays["value"]).astype(np.float32)
        depth = np.max([fleet.depth for fleet in fleets], axis=0)
        return cls(**arrays, depth=depth, intercept=np.mean([fleet.intercept for fleet in fleets], axis=0))


def sample_rows(count: int, cap: int, seed: int) -> Ints:
    """Return at most ``cap`` of ``count`` rows, drawn without replacement, in increasing order."""
    if count <= cap:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, cap, replace=False))


def _breadth_first(tree: Tree) -> tuple[tuple[npt.NDArray[Any], ...], int]:
    """Return a tree's arrays in breadth-first order, where a right child follows its left sibling, and its depth."""
    order, level = [0], [0]
    for at, node in enumerate(order):
        if tree.left[node] >= 0:
            order += [int(tree.left[node]), int(tree.right[node])]
            level += [level[at] + 1] * 2
    place = np.empty(len(tree.left), dtype=np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    leaf = tree.left[order] < 0
    exact = np.asarray(tree.threshold[order], np.float64)
    threshold = exact.astype(np.float32)
    threshold = np.where(threshold > exact, np.nextafter(threshold, np.float32(-np.inf)), threshold)
    arrays = (
        np.where(leaf, 0, tree.feature[order]).astype(np.int32),
        np.where(leaf, np.float32(np.inf), threshold),
        np.where(leaf, place[order], place[tree.left[order]]).astype(np.int32),
        np.asarray(tree.value[order], np.float32),
    )
    return arrays, max(level)


def _pad(values: npt.NDArray[Any], nodes: int, fill: float) -> npt.NDArray[Any]:
    """Return (S, T, n) widened to (S, T, nodes)."""
    return np.pad(values, ((0, 0), (0, 0), (0, nodes - values.shape[2])), constant_values=fill)
