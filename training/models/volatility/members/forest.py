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
from configs.space import Range
from training.models.volatility.fleet_state import Float
from training.models.volatility.member import FitData, ForecastInputs, MemberSpec
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


def _fit_shared(data: FitData) -> TreeFleet:
    own = np.ascontiguousarray(data.train.features[:, data.design.own])
    part, seed = data.config.volatility.forest, data.config.run.seed
    return fit_forest(own, data.train.target, data.base, data.train.weight, part, seed)


def _fit_own(data: FitData, shared: TreeFleet) -> TreeFleet | None:
    """Grow a forest for each symbol under ``per_symbol``; one without a usable train row gets the shared one."""
    if data.config.volatility.strategy != "per_symbol":
        return None
    train, fleets = data.train, list[TreeFleet]()
    own = np.ascontiguousarray(train.features[:, data.design.own])
    part, seed = data.config.volatility.forest, data.config.run.seed
    for i in range(len(data.examples.rows)):
        rows = np.flatnonzero(train.symbol == i)
        found = shared
        if len(rows):
            found = fit_forest(own[rows], train.target[rows], data.base[rows], train.weight[rows], part, seed)
        fleets.append(found)
    return TreeFleet.concat(fleets)


def _forecast(inputs: ForecastInputs, fleet: TreeFleet) -> Float:
    return np.asarray(inputs.base * np.exp(fleet.predict(inputs.last, inputs.rows(fleet))))


SPEC = MemberSpec(
    name="forest",
    title="its own forest",
    state=TreeFleet,
    fit_shared=_fit_shared,
    fit_own=_fit_own,
    forecast=_forecast,
    is_slow=True,
    share=1.5,
    space={
        "volatility.forest.max_depth": Range(low=6, high=16, whole=True),
        "volatility.forest.min_samples_leaf": Range(low=5, high=100, log=True, whole=True),
    },
)
