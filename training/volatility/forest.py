"""The forest member: trees on what log-HAR leaves over, kept as plain arrays and evaluated with numpy.

scikit-learn grows the trees (extremely randomised: Geurts, Ernst and Wehenkel 2006, Machine Learning 63); nothing of
it is stored. They learn ``ln y − ln f`` of a base forecast f, because a tree cannot extrapolate a level that
train never saw while the base can.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from configs.models import ForestConfig
from training.volatility.state import FleetState, Float, Ints

Float32 = npt.NDArray[np.float32]

MAX_FEATURES = 1 / 3  # of the columns, tried at each split: Breiman's (2001) default for regression
_CHUNK = 512  # rows walked together through all trees: their features and places stay in the cache


@dataclass(frozen=True, slots=True)
class ForestFleet(FleetState):
    """Trees (S, T, nodes), padded: split column, threshold, left child and value, and the level (S,).

    A row goes to ``child`` if its value is ≤ threshold (or missing), else to ``child + 1``. A leaf is its own child
    and its threshold is +∞, so rows rest there however deep the others go. ``depth`` (S,) is the longest path.
    """

    feature: npt.NDArray[np.int32]
    threshold: Float32
    child: npt.NDArray[np.int32]
    value: Float32
    depth: npt.NDArray[np.int32]
    level: Float

    def predict(self, x: Float32, index: Ints) -> Float:
        """Return the mean leaf value (n,) of features (n, F), each row through the forest at ``index`` (n,)."""
        _, trees, nodes = self.feature.shape
        feature, threshold = self.feature.ravel(), self.threshold.ravel()
        child, value = self.child.ravel(), self.value.ravel()
        out = np.empty(len(x))
        for start in range(0, len(x), _CHUNK):
            rows = slice(start, start + _CHUNK)
            flat = np.ascontiguousarray(x[rows], dtype=np.float32)
            base, flat = (np.arange(len(flat)) * flat.shape[1])[:, None], flat.ravel()
            root = index[rows, None] * (trees * nodes)
            steps = int(self.depth[index[rows]].max(initial=0))
            origin = root + np.arange(trees) * nodes  # (rows, trees)
            node = origin
            for _ in range(steps):
                node = origin + child[node] + (flat[base + feature[node]] > threshold[node])
            out[rows] = value[node].mean(axis=1, dtype=np.float64)
        return out

    def forecast(self, base: Float, x: Float32, index: Ints) -> Float:
        """Return the mean variance (n,) of the next bars: the base forecast (n,) times the trees' correction."""
        return self.level[index] * base * np.exp(self.predict(x, index))

    @classmethod
    def concat(cls, fleets: Sequence[Self]) -> Self:
        """Join forests along the symbol axis, padding each to the widest; they must hold equally many trees."""
        nodes = max(fleet.feature.shape[2] for fleet in fleets)
        padding = {"feature": 0, "threshold": np.inf, "child": 0, "value": 0.0}
        arrays = {
            name: np.concatenate([_pad(getattr(fleet, name), nodes, fill) for fleet in fleets])
            for name, fill in padding.items()
        }
        for name in ("depth", "level"):
            arrays[name] = np.concatenate([getattr(fleet, name) for fleet in fleets])
        return cls.from_arrays(arrays)


def fit_forest(x: Float32, target: Float, base: Float, config: ForestConfig, seed: int, n_jobs: int = 1) -> ForestFleet:
    """Grow one forest (a fleet of one) on train rows; its level makes mean(y / f) = 1 on them.

    Parameters
    ----------
    x : (n, F) float32
        Features, finite (a scaled feature's missing value is 0, its mean).
    target, base : (n,)
        y and the base forecast, both positive.
    config : ForestConfig
        Trees, depth, leaf size, and the cap on rows.
    seed : int
        Of the draw of rows and of the trees; the result does not depend on ``n_jobs``.
    n_jobs : int
        Threads. A worker of a cluster passes its own cores.
    """
    from sklearn.ensemble import ExtraTreesRegressor

    rows = sample_rows(len(x), config.max_rows, seed)
    x, target, base = np.ascontiguousarray(x[rows], dtype=np.float32), target[rows], base[rows]
    model = ExtraTreesRegressor(
        n_estimators=config.trees,
        max_depth=config.max_depth,
        min_samples_leaf=config.min_samples_leaf,
        max_features=MAX_FEATURES,
        random_state=seed,
        n_jobs=n_jobs,
    )
    model.fit(x, np.log(target / base))
    forest = from_sklearn(model.estimators_)
    raw = forest.forecast(base, x, np.zeros(len(x), np.int64))
    return replace(forest, level=np.array([np.mean(target / raw)]))


def sample_rows(count: int, cap: int, seed: int) -> Ints:
    """Return at most ``cap`` of ``count`` rows, drawn without replacement, in increasing order."""
    if count <= cap:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, cap, replace=False))


def from_sklearn(estimators: Sequence[Any]) -> ForestFleet:
    """Return fitted scikit-learn regression trees as a fleet of one with level 1.

    scikit-learn compares float32 features with float64 thresholds. For float32 x, ``x ≤ t`` holds exactly when
    ``x ≤`` the largest float32 that is ``≤ t``, so thresholds are rounded down and every row takes the same path.
    """
    trees = [_renumbered(estimator.tree_) for estimator in estimators]
    nodes = max(len(tree[0]) for tree in trees)
    feature, threshold, child, value = (
        np.stack([_pad(tree[k][None, None], nodes, fill)[0, 0] for tree in trees])[None]
        for k, fill in enumerate((0, np.inf, 0, 0.0))
    )
    depth = np.array([max(estimator.tree_.max_depth for estimator in estimators)], dtype=np.int32)
    return ForestFleet(feature, threshold, child, value, depth, np.ones(1))


def _renumbered(tree: Any) -> tuple[npt.NDArray[Any], ...]:
    """Return a tree's arrays in breadth-first order, where a right child follows its left sibling."""
    order = [0]
    for node in order:
        if tree.children_left[node] >= 0:
            order += [int(tree.children_left[node]), int(tree.children_right[node])]
    place = np.empty(len(order), dtype=np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    leaf = tree.children_left[order] < 0
    exact = tree.threshold[order]
    threshold = exact.astype(np.float32)
    threshold = np.where(threshold > exact, np.nextafter(threshold, np.float32(-np.inf)), threshold)
    return (
        np.where(leaf, 0, tree.feature[order]).astype(np.int32),
        np.where(leaf, np.float32(np.inf), threshold),
        np.where(leaf, place[order], place[tree.children_left[order]]).astype(np.int32),
        tree.value[order, 0, 0].astype(np.float32),
    )


def _pad(values: npt.NDArray[Any], nodes: int, fill: float) -> npt.NDArray[Any]:
    """Return (S, T, n) widened to (S, T, nodes)."""
    return np.pad(values, ((0, 0), (0, 0), (0, nodes - values.shape[2])), constant_values=fill)
