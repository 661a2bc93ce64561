from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

from configs.models import BoostingConfig
from training.models.volatility.members.boosting import fit_boosting
from training.models.volatility.trees import TreeFleet, sample_rows

SMALL = BoostingConfig(trees=40, learning_rate=0.1, max_leaf_nodes=15, min_samples_leaf=50, max_rows=2500)
ONE = np.zeros(4000, int)
FIRST = slice(0, 2000)


@pytest.fixture(scope="module")
def data():
    """Features, a target that is the base times a product of two of them and noise, the base, and weights."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4000, 6)).astype(np.float32)
    x[:, 3] = np.round(x[:, 3], 1)
    base = np.exp(rng.normal(size=4000) - 9)
    planted = 0.6 * np.sign(x[:, 0]) * np.tanh(x[:, 1]) + 0.5 * (x[:, 3] > 0.5)
    return x, base * np.exp(planted) * rng.chisquare(6, 4000) / 6, base, rng.uniform(0.5, 1.0, 4000)


def of_scikit_learn(min_samples_leaf, seed):
    """What a fit with the other settings of ``SMALL`` is compared with."""
    return HistGradientBoostingRegressor(
        loss="gamma",
        learning_rate=0.1,
        max_iter=40,
        max_leaf_nodes=15,
        min_samples_leaf=min_samples_leaf,
        max_features=0.5,
        max_bins=63,
        l2_regularization=10.0,
        early_stopping=False,
        random_state=seed,
    )


def equal(one, other):
    return all(np.array_equal(value, other.to_arrays()[name]) for name, value in one.to_arrays().items())


@pytest.mark.parametrize("count", [60, 2000, 4000])
def test_every_row_takes_the_path_that_scikit_learn_takes(data, count):
    x, target, base, weight = (part[:count] for part in data)
    fleet = fit_boosting(x, target, base, weight, SMALL, seed=3)
    rows = sample_rows(count, SMALL.max_rows, 3)
    model = of_scikit_learn({60: 20, 2000: 50, 4000: 50}[count], seed=3)
    model.fit(x[rows], np.minimum(target / base, 50.0)[rows], sample_weight=weight[rows])
    new = np.concatenate([x, 2 * np.random.default_rng(1).normal(size=(10_000, 6)).astype(np.float32)])
    found = fleet.predict(new, np.zeros(len(new), int))
    np.testing.assert_allclose(found, np.log(model.predict(new)), atol=1e-5)
    assert len(np.unique(found.round(6))) > 2


@pytest.mark.parametrize("seed", range(6))
def test_bins_are_those_of_scikit_learn_on_columns_with_few_values_and_rows_without_weight(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(630, 7)).astype(np.float32)  # a multiple of the bins: equal weights end at an edge
    x[:, 1], x[:, 2], x[:, 3], x[:, 4] = 2.0, np.sign(x[:, 2]), np.round(x[:, 3], 1), x[:, 4] * (x[:, 4] > 1.0)
    weight = (np.ones(630), rng.integers(0, 3, 630).astype(float), rng.uniform(0.5, 1.0, 630))[seed % 3]
    target = np.exp(0.5 * x[:, 0] + 0.3 * x[:, 3]) * rng.chisquare(6, 630) / 6
    fleet = fit_boosting(x, target, np.ones(630), weight, SMALL, seed)
    model = of_scikit_learn(21, seed).fit(x, np.minimum(target, 50.0), sample_weight=weight)
    splits = [nodes[~nodes["is_leaf"].astype(bool)] for (stage,) in model._predictors for nodes in (stage.nodes,)]
    expected = sorted(
        (int(f), t) for one in splits for f, t in zip(one["feature_idx"], one["num_threshold"], strict=True)
    )
    inner = np.isfinite(fleet.threshold)
    found = sorted(zip(fleet.feature[inner].tolist(), fleet.threshold[inner].tolist(), strict=True))
    assert [feature for feature, _ in found] == [feature for feature, _ in expected]
    np.testing.assert_allclose([edge for _, edge in found], [edge for _, edge in expected], rtol=3e-7, atol=1e-12)


def test_the_forecast_is_level_on_its_rows(data):
    x, target, base, weight = (part[FIRST] for part in data)
    fleet = fit_boosting(x, target, base, weight, SMALL, seed=1)
    ratio = target / (base * np.exp(fleet.predict(x, ONE[FIRST])))
    assert np.average(ratio, weights=weight) == pytest.approx(1.0, abs=0.02)


def test_boosting_finds_what_is_planted_on_new_rows(data):
    x, target, base, weight = data
    fleet = fit_boosting(x[FIRST], target[FIRST], base[FIRST], weight[FIRST], SMALL, seed=1)

    def qlike(forecast):
        return np.mean((target / forecast - np.log(target / forecast) - 1)[2000:])

    level = np.mean(target[FIRST] / base[FIRST])
    assert qlike(base * np.exp(fleet.predict(x, ONE))) < 0.75 * qlike(level * base)


def test_the_same_seed_gives_the_same_bytes(data):
    x, target, base, weight = data
    one = fit_boosting(x, target, base, weight, SMALL, seed=4)
    assert equal(one, fit_boosting(x, target, base, weight, SMALL, seed=4))
    assert not equal(one, fit_boosting(x, target, base, weight, SMALL, seed=5))


def test_only_the_drawn_rows_are_read(data):
    x, target, base, weight = data
    left_out = np.setdiff1d(np.arange(4000), sample_rows(4000, SMALL.max_rows, 2))
    moved = target.copy()
    moved[left_out] *= 40
    assert len(left_out) == 1500
    assert equal(fit_boosting(x, target, base, weight, SMALL, 2), fit_boosting(x, moved, base, weight, SMALL, 2))


def test_a_broken_bar_counts_as_a_ratio_of_fifty(data):
    x, target, base, weight = data
    broken, capped = target[FIRST].copy(), target[FIRST].copy()
    broken[7], capped[7] = 1e9, 50.0 * base[7]
    one = fit_boosting(x[FIRST], broken, base[FIRST], weight[FIRST], SMALL, 2)
    assert equal(one, fit_boosting(x[FIRST], capped, base[FIRST], weight[FIRST], SMALL, 2))


@pytest.mark.parametrize("count", [30, 60])
def test_few_rows_get_small_trees_and_a_finite_correction(data, count):
    x, target, base, weight = (part[:count] for part in data)
    fleet = fit_boosting(x, target, base, weight, BoostingConfig(trees=40), seed=1)
    correction = fleet.predict(data[0], ONE)
    assert fleet.depth[0] <= count // 20 - 1 and fleet.feature.shape[1] == 40
    assert np.isfinite(correction).all() and np.ptp(correction) < np.log(3)
    level = np.log(np.average(target / base, weights=weight))
    assert np.abs(correction - level).max() < (1e-3 if count < 40 else np.log(3))


def test_boosted_sums_join_and_each_row_reads_its_own(data):
    x, target, base, weight = data
    fleets = [
        fit_boosting(x, target, base, weight, SMALL, 1),
        fit_boosting(x, target, 0 * base + 1e-4, weight, SMALL, 1),
    ]
    joined = TreeFleet.concat(fleets)
    for i, alone in enumerate(fleets):
        assert np.array_equal(joined.predict(x, ONE + i), alone.predict(x, ONE))
