"""The forest member: extremely randomised trees on what a base forecast leaves over, in logarithms.

They learn ``ln y − ln f`` of a base forecast f, because a tree cannot extrapolate a level that train never saw while
the base can.

References
----------
Geurts, Ernst and Wehenkel (2006). Extremely randomized trees. Machine Learning 63.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from configs.models import ForestConfig
from training.models.volatility.fleet_state import Float
from training.models.volatility.trees import Float32, Tree, TreeFleet, sample_rows

MAX_FEATURES = 1 / 3  # of the columns, tried at each split: Breiman's (2001) default for regression


def fit_forest(x: Float32, target: Float, base: Float, weight: Float, config: ForestConfig, seed: int) -> TreeFleet:
    """Grow one forest (a fleet of one) whose sum is the log correction of ``base``; mean(y / f) = 1 on its rows.

    Parameters
    ----------
    x : (n, F) float32
        Features, finite (a scaled feature's missing value is 0, its mean).
    target, base : (n,)
        y and the base forecast, both positive.
    weight : (n,)
        How much each row counts.
    config : ForestConfig
        Trees, depth, leaf size, and the cap on rows.
    seed : int
        Of the draw of rows and of the trees.
    """
    from sklearn.ensemble import ExtraTreesRegressor

    rows = sample_rows(len(x), config.max_rows, seed)
    x, ratio, weight = np.ascontiguousarray(x[rows], dtype=np.float32), target[rows] / base[rows], weight[rows]
    model = ExtraTreesRegressor(
        n_estimators=config.trees,
        max_depth=config.max_depth,
        min_samples_leaf=config.min_samples_leaf,
        max_features=MAX_FEATURES,
        random_state=seed,
    )
    model.fit(x, np.log(ratio), sample_weight=weight)
    share = 1.0 / config.trees
    fitted = [one.tree_ for one in model.estimators_]
    trees = [Tree(t.children_left, t.children_right, t.feature, t.threshold, share * t.value[:, 0, 0]) for t in fitted]
    forest = TreeFleet.of(trees)
    factor = np.exp(forest.predict(x, np.zeros(len(x), np.int64)))
    return replace(forest, intercept=np.log([np.average(ratio / factor, weights=weight)]))
