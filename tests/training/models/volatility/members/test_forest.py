from __future__ import annotations

import numpy as np
import pytest

from configs import ForestConfig
from training.models.volatility.members.forest import fit_forest
from training.models.volatility.trees import TreeFleet, sample_rows

SMALL = ForestConfig(trees=20, max_depth=7, min_samples_leaf=5, max_rows=2000)
ONE = np.zeros(3000, int)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3000, 6)).astype(np.float32)
    base = np.exp(rng.normal(size=3000) - 9)
    target = base * np.exp(0.5 * (x[:, 0] > 0.3) - 0.4 * x[:, 1] * (x[:, 3] < 0) + 0.3 * rng.normal(size=3000))
    return x, target, base, np.ones(3000)


def equal(one, other):
    return all(np.array_equal(value, other.to_arrays()[name]) for name, value in one.to_arrays().items())


def test_the_forest_corrects_its_base_on_new_rows(data):
    x, target, base, weight = data
    forest = fit_forest(x[:2000], target[:2000], base[:2000], weight[:2000], SMALL, seed=1)
    f = base * np.exp(forest.predict(x, ONE))

    def qlike(forecast):
        return np.mean((target / forecast - np.log(target / forecast) - 1)[2000:])

    level = np.mean(target[:2000] / base[:2000])
    assert qlike(f) < 0.75 * qlike(level * base)


def test_the_forest_is_level_on_its_weighted_rows(data):
    x, target, base, _ = data
    weight = np.random.default_rng(1).exponential(size=3000)
    part = slice(0, 2000)
    forest = fit_forest(x[part], target[part], base[part], weight[part], SMALL, seed=1)
    ratio = target[part] / (base[part] * np.exp(forest.predict(x[part], ONE[part])))
    assert np.average(ratio, weights=weight[part]) == pytest.approx(1.0, abs=1e-12)


def test_the_correction_is_free_of_the_unit_of_variance(data):
    x, target, base, weight = data
    one = fit_forest(x, target, base, weight, SMALL, seed=1)
    assert equal(one, fit_forest(x, 1024 * target, 1024 * base, weight, SMALL, seed=1))


def test_the_same_seed_gives_the_same_bytes(data):
    x, target, base, weight = data
    one = fit_forest(x, target, base, weight, SMALL, seed=4)
    assert equal(one, fit_forest(x, target, base, weight, SMALL, seed=4))
    other = fit_forest(x, target, base, weight, SMALL, seed=5)
    assert not np.array_equal(one.value[..., :8], other.value[..., :8])


def test_only_the_drawn_rows_are_read(data):
    x, target, base, weight = data
    left_out = np.setdiff1d(np.arange(3000), sample_rows(3000, SMALL.max_rows, 2))
    moved = target.copy()
    moved[left_out] *= 50
    assert len(left_out) == 1000
    assert equal(fit_forest(x, target, base, weight, SMALL, 2), fit_forest(x, moved, base, weight, SMALL, 2))


def test_a_row_without_weight_moves_no_leaf(data):
    x, target, base, weight = data
    light, moved = weight.copy(), target.copy()
    light[:500], moved[:500] = 0.0, 50 * moved[:500]
    config = SMALL.model_copy(update={"max_rows": 3000})
    assert equal(fit_forest(x, target, base, light, config, 2), fit_forest(x, moved, base, light, config, 2))


def test_forests_of_symbols_join(data):
    x, target, base, weight = data
    deep = fit_forest(x, target, base, weight, SMALL, seed=1)
    shallow = fit_forest(x, target, base, weight, SMALL.model_copy(update={"max_depth": 2}), seed=2)
    fleet = TreeFleet.concat([deep, shallow])
    assert fleet.depth.tolist() == [7, 2]
    np.testing.assert_array_equal(fleet.predict(x, ONE + 1), shallow.predict(x, ONE))
