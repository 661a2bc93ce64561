from __future__ import annotations

import time

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor

from configs import ForestConfig
from training.volatility.forest import ForestFleet, fit_forest, from_sklearn, sample_rows

SMALL = ForestConfig(trees=20, max_depth=7, min_samples_leaf=5, max_rows=2000)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3000, 6)).astype(np.float32)
    x[:, 3] = np.round(x[:, 3], 1)  # ties with the thresholds
    base = np.exp(rng.normal(size=3000) - 9)
    target = base * np.exp(0.5 * (x[:, 0] > 0.3) - 0.4 * x[:, 1] * (x[:, 3] < 0) + 0.3 * rng.normal(size=3000))
    return x, target, base


@pytest.mark.parametrize("kind", [RandomForestRegressor, ExtraTreesRegressor])
def test_every_row_takes_the_path_that_scikit_learn_takes(data, kind):
    x, target, base = data
    model = kind(15, max_depth=9, min_samples_leaf=3, max_features=0.5, random_state=3).fit(x, np.log(target / base))
    forest = from_sklearn(model.estimators_)
    rng = np.random.default_rng(1)
    new = np.concatenate([x, rng.normal(size=(20_000, 6)).astype(np.float32)])
    np.testing.assert_allclose(forest.predict(new, np.zeros(len(new), int)), model.predict(new), atol=1e-6)


def test_thresholds_between_two_float32_values_split_exactly():
    low = np.float32(0.1)
    high = np.nextafter(low, np.float32(1))
    x = np.repeat([[low], [high]], 20, axis=0).astype(np.float32)
    y = np.repeat([0.0, 1.0], 20)
    model = RandomForestRegressor(3, bootstrap=False, random_state=0).fit(x, y)
    forest = from_sklearn(model.estimators_)
    assert np.array_equal(forest.predict(x, np.zeros(40, int)), model.predict(x))


def test_an_unsplit_tree_predicts_its_mean(data):
    x, _, _ = data
    model = ExtraTreesRegressor(2, min_samples_leaf=5000, random_state=0).fit(x, np.ones(3000))
    assert np.array_equal(from_sklearn(model.estimators_).predict(x[:5], np.zeros(5, int)), np.ones(5))


def test_the_forest_corrects_its_base_and_is_level_on_train(data):
    x, target, base = data
    forest = fit_forest(x[:2000], target[:2000], base[:2000], SMALL, seed=1)
    f = forest.forecast(base, x, np.zeros(3000, int))

    def qlike(forecast, rows):
        return np.mean((target / forecast - np.log(target / forecast) - 1)[rows])

    assert np.mean(target[:2000] / f[:2000]) == pytest.approx(1.0, abs=1e-12)
    level = np.mean(target[:2000] / base[:2000])
    assert qlike(f, slice(2000, None)) < 0.75 * qlike(level * base, slice(2000, None))


def test_the_same_seed_gives_the_same_bytes_whatever_the_threads(data):
    x, target, base = data
    one = fit_forest(x, target, base, SMALL, seed=4, n_jobs=1).to_arrays()
    two = fit_forest(x, target, base, SMALL, seed=4, n_jobs=2).to_arrays()
    assert all(np.array_equal(one[name], two[name]) for name in one)
    other = fit_forest(x, target, base, SMALL, seed=5).to_arrays()
    assert not np.array_equal(one["value"][..., :8], other["value"][..., :8])


def test_forests_join_by_symbol_and_any_mix_of_rows_is_one_gather(data):
    x, target, base = data
    deep = fit_forest(x, target, base, SMALL, seed=1)
    shallow = fit_forest(x, target, base, SMALL.model_copy(update={"max_depth": 2}), seed=2)
    fleet = ForestFleet.from_arrays(ForestFleet.concat([deep, shallow]).to_arrays())
    assert len(fleet) == 2 and fleet.take([1]).depth[0] == 2
    index = np.arange(3000) % 2
    mixed = fleet.forecast(base, x, index)
    for i, alone in enumerate((deep, shallow)):
        np.testing.assert_array_equal(mixed[index == i], alone.forecast(base, x, np.zeros(3000, int))[index == i])


def test_rows_are_capped_sorted_and_drawn_by_seed():
    assert np.array_equal(sample_rows(5, 10, 0), np.arange(5))
    rows = sample_rows(10_000, 100, 3)
    assert len(rows) == 100 and (np.diff(rows) > 0).all()
    assert np.array_equal(rows, sample_rows(10_000, 100, 3))


def test_evaluation_does_a_million_row_trees_a_second(data):
    x, target, base = data
    forest = fit_forest(x, target, base, SMALL, seed=1)
    rows = np.tile(x, (5, 1))
    index = np.zeros(len(rows), int)
    best = np.inf
    for _ in range(3):
        start = time.perf_counter()
        forest.predict(rows, index)
        best = min(best, time.perf_counter() - start)
    assert len(rows) * SMALL.trees / best > 1e6
