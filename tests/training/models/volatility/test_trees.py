from __future__ import annotations

import time

import numpy as np
import pytest
from processor_time import assert_fast
from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor

from training.models.volatility.trees import Tree, TreeFleet, sample_rows


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3000, 6)).astype(np.float32)
    x[:, 3] = np.round(x[:, 3], 1)  # ties with the thresholds
    return x, 0.5 * (x[:, 0] > 0.3) - 0.4 * x[:, 1] * (x[:, 3] < 0) + 0.3 * rng.normal(size=3000)


def mean_of(model, intercept=0.0):
    """The fleet whose sum is a fitted forest's mean."""
    fitted = [one.tree_ for one in model.estimators_]
    share = 1.0 / len(fitted)
    trees = [Tree(t.children_left, t.children_right, t.feature, t.threshold, share * t.value[:, 0, 0]) for t in fitted]
    return TreeFleet.of(trees, intercept)


@pytest.mark.parametrize("depth", [5, 9, 16])
@pytest.mark.parametrize("kind", [RandomForestRegressor, ExtraTreesRegressor])
def test_every_row_takes_the_path_that_scikit_learn_takes(data, kind, depth):
    x, y = data
    model = kind(15, max_depth=depth, min_samples_leaf=3, max_features=0.5, random_state=3).fit(x, y)
    new = np.concatenate([x, np.random.default_rng(1).normal(size=(20_000, 6)).astype(np.float32)])
    found = mean_of(model).predict(new, np.zeros(len(new), int))
    np.testing.assert_allclose(found, model.predict(new), atol=1e-6)


def test_thresholds_between_two_float32_values_split_exactly():
    low = np.float32(0.1)
    x = np.repeat([[low], [np.nextafter(low, np.float32(1))]], 20, axis=0).astype(np.float32)
    model = RandomForestRegressor(2, bootstrap=False, random_state=0).fit(x, np.repeat([0.0, 1.0], 20))
    assert np.array_equal(mean_of(model).predict(x, np.zeros(40, int)), model.predict(x))


def test_a_row_goes_left_if_it_is_at_most_the_threshold_however_it_rounds():
    values = np.float32([0.1, 0.2, 0.3, 1.0, -0.1, 0.0])
    for threshold in (0.1, 0.2, 0.3, 1.0, -0.1, 0.0, float(np.float32(0.1)), 1.0 - 1e-12):
        tree = Tree(
            np.array([2, -1, -1]), np.array([1, -1, -1]), np.zeros(3, int), np.full(3, threshold), np.arange(3.0)
        )
        found = TreeFleet.of([tree]).predict(values[:, None], np.zeros(6, int))
        assert np.array_equal(found, np.where(values.astype(np.float64) <= threshold, 2.0, 1.0))


def test_an_unsplit_tree_predicts_its_mean(data):
    x, _ = data
    model = ExtraTreesRegressor(2, min_samples_leaf=5000, random_state=0).fit(x, np.ones(3000))
    assert np.array_equal(mean_of(model).predict(x[:5], np.zeros(5, int)), np.ones(5))


def test_the_intercept_is_added_and_no_rows_are_no_predictions(data):
    x, y = data
    model = ExtraTreesRegressor(3, max_depth=4, random_state=0).fit(x, y)
    index = np.zeros(3000, int)
    np.testing.assert_allclose(mean_of(model, -2.0).predict(x, index), mean_of(model).predict(x, index) - 2.0)
    assert mean_of(model).predict(x[:0], index[:0]).shape == (0,)


def test_fleets_join_by_symbol_and_any_mix_of_rows_is_one_gather(data):
    x, y = data
    deep = mean_of(ExtraTreesRegressor(10, max_depth=9, random_state=1).fit(x, y), 0.5)
    shallow = mean_of(ExtraTreesRegressor(10, max_depth=2, random_state=2).fit(x, y), -0.5)
    fleet = TreeFleet.from_arrays(TreeFleet.concat([deep, shallow]).to_arrays())
    assert len(fleet) == 2 and fleet.take([1]).depth[0] == 2 and fleet.intercept.tolist() == [0.5, -0.5]
    index = np.arange(3000) % 2
    mixed = fleet.predict(x, index)
    for i, alone in enumerate((deep, shallow)):
        np.testing.assert_array_equal(mixed[index == i], alone.predict(x, np.zeros(3000, int))[index == i])


def test_rows_are_capped_sorted_and_drawn_by_seed():
    assert np.array_equal(sample_rows(5, 10, 0), np.arange(5))
    rows = sample_rows(10_000, 100, 3)
    assert len(set(rows)) == 100 and (np.diff(rows) > 0).all()
    assert np.array_equal(rows, sample_rows(10_000, 100, 3))
    assert not np.array_equal(rows, sample_rows(10_000, 100, 4))


def test_evaluation_does_a_million_row_trees_a_second(data):
    x, y = data
    fleet = mean_of(ExtraTreesRegressor(20, max_depth=7, min_samples_leaf=5, random_state=1).fit(x, y))
    rows = np.tile(x, (5, 1))
    index = np.zeros(len(rows), int)
    assert_fast(lambda: fleet.predict(rows, index), len(rows) * 20 / 1e6, time.process_time)
