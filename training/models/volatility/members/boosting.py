"""The boosting member: gradient-boosted trees that minimise gamma deviance, which is QLIKE up to a constant.

``2 (y/f − ln(y/f) − 1)`` is the deviance of a gamma distribution with mean f. The trees learn the ratio of the target
to a base forecast; the loss weighs a row by that ratio, so large moves that were under-forecast count most, as they do
in the score.

References
----------
Friedman (2001). Greedy function approximation: a gradient boosting machine. Annals of Statistics 29.
Patton (2011). Volatility forecast comparison using imperfect volatility proxies. J. Econometrics 160, eq. 24.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

from configs.models import BoostingConfig
from configs.space import Range
from training.models.volatility.bins import Bins
from training.models.volatility.fleet_state import Float
from training.models.volatility.member import FitData, ForecastInputs, MemberSpec
from training.models.volatility.trees import Float32, Tree, TreeFleet, sample_rows

_CAP = 50.0  # a larger ratio of target to base is a broken bar, not a forecast error
_MAX_FEATURES = 0.5  # of the columns, tried at each split
_L2 = 10.0
_BINS = 63  # of a feature; 255, the default, forecast no better and took 2.7 times as long


def fit_boosting(x: Float32, target: Float, base: Float, weight: Float, config: BoostingConfig, seed: int) -> TreeFleet:
    """Boost one sum of trees (a fleet of one), the log correction of ``base``.

    Few rows get smaller trees: leaves hold at least a thirtieth of the rows, up to ``min_samples_leaf``.

    Parameters
    ----------
    x : (n, F) float32
        Features, finite (a scaled feature's missing value is 0, its mean).
    target, base : (n,)
        y and the base forecast, both positive.
    weight : (n,)
        How much each row counts.
    config : BoostingConfig
        Trees, learning rate, leaves, and the cap on rows.
    seed : int
        Of the draw of rows and of the trees.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor

    rows = sample_rows(len(x), config.max_rows, seed)
    x, ratio = np.ascontiguousarray(x[rows], dtype=np.float32), np.minimum(target[rows] / base[rows], _CAP)
    bins = Bins.of(x, weight[rows], _BINS)
    model = HistGradientBoostingRegressor(
        loss="gamma",
        learning_rate=config.learning_rate,
        max_iter=config.trees,
        max_leaf_nodes=config.max_leaf_nodes,
        min_samples_leaf=min(config.min_samples_leaf, max(20, len(rows) // 30)),
        max_features=_MAX_FEATURES,
        max_bins=_BINS,
        l2_regularization=_L2,
        early_stopping=False,
        random_state=seed,
    )
    with threadpool_limits(_threads(), user_api="openmp"):
        model.fit(bins.codes(x), ratio, sample_weight=weight[rows])
    # The fitted trees are an attribute without public access; `test_boosting.py` compares with `model.predict`.
    trees = [_tree(stage[0].nodes, bins) for stage in model._predictors]
    return TreeFleet.of(trees, float(np.ravel(model._baseline_prediction)[0]))


def _threads() -> int:
    """Return as many threads as linear algebra has here.

    A limit set before scikit-learn is imported does not reach its threads, and more of them than processors mostly wait
    for each other.
    """
    return min((int(one["num_threads"]) for one in threadpool_info() if one["user_api"] == "blas"), default=1)


def _tree(nodes: np.ndarray, bins: Bins) -> Tree:
    inner = ~nodes["is_leaf"].astype(np.bool_)
    left, threshold = np.where(inner, nodes["left"].astype(np.int64), -1), np.zeros(len(nodes))
    threshold[inner] = bins.thresholds(nodes["feature_idx"][inner], nodes["num_threshold"][inner])
    return Tree(left, nodes["right"].astype(np.int64), nodes["feature_idx"], threshold, nodes["value"])


def _fit_shared(data: FitData) -> TreeFleet:
    """Boost a correction of the linear forecast and a forecast from a constant; the member is their geometric mean."""
    train, part, seed = data.train, data.config.volatility.boosting, data.config.run.seed
    own = np.ascontiguousarray(train.features[:, data.design.own])
    constant = np.full(len(data.base), np.average(train.target, weights=train.weight))
    correction = fit_boosting(own, train.target, data.base, train.weight, part, seed)
    plain = fit_boosting(own, train.target, constant, train.weight, part, seed)
    plain = replace(plain, intercept=plain.intercept + np.log(constant[0]))
    return TreeFleet.mean([correction, plain])


def _forecast(inputs: ForecastInputs, fleet: TreeFleet) -> Float:
    return np.asarray(np.sqrt(inputs.base) * np.exp(fleet.predict(inputs.last, inputs.rows(fleet))))


SPEC = MemberSpec(
    name="boosting",
    title="its own boosting",
    state=TreeFleet,
    fit_shared=_fit_shared,
    forecast=_forecast,
    is_slow=True,
    share=2.0,
    space={
        "volatility.boosting.learning_rate": Range(low=0.02, high=0.2, log=True),
        "volatility.boosting.max_leaf_nodes": Range(low=8, high=64, log=True, whole=True),
        "volatility.boosting.min_samples_leaf": Range(low=50, high=2000, log=True, whole=True),
    },
)
