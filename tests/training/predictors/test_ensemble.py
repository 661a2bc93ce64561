"""Weights of a logarithmic pool, and one frame of direction and volatility."""

from copy import copy
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.errors import ConfigError, ModelError
from training.models.calibration.softmax_newton import softmax
from training.predictors.ensemble import EnsemblePredictor
from training.predictors.kinds.direction import CLASSES, PriceDirectionPredictor
from training.predictors.kinds.volatility import VolatilityPredictor
from training.predictors.pool import pool_weights

pytestmark = pytest.mark.slow


def simulated(members: int, rows: int, seed: int, skill: list[float]):
    """Log probabilities of members that see the true log odds through noise of their own."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(rows, 3))
    labels = (rng.random(rows)[:, None] > softmax(truth).cumsum(axis=1)).sum(axis=1).clip(max=2)
    noise = rng.normal(size=(rows, members, 3)) / np.array(skill)[None, :, None]
    return np.log(softmax((truth[:, None] + noise).reshape(-1, 3))).reshape(rows, members, 3), labels


def pool_loss(logs, labels, weights, shrinkage):
    pooled = softmax(np.einsum("k,nkc->nc", weights, logs))
    penalty = shrinkage / len(weights) * np.log(weights).sum()
    return -np.log(pooled[np.arange(len(labels)), labels]).sum() - penalty


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), members=st.integers(1, 4), shrinkage=st.floats(1.0, 1000.0))
def test_weights_lie_on_the_simplex_and_nothing_near_is_better(seed, members, shrinkage):
    logs, labels = simulated(members, 200, seed, [0.5, 1.0, 2.0, 4.0][:members])
    weights = pool_weights(logs, labels, shrinkage)
    assert weights.sum() == pytest.approx(1.0)
    assert (weights > 0).all()
    best = pool_loss(logs, labels, weights, shrinkage)
    rng = np.random.default_rng(seed)
    for _ in range(10):
        other = softmax(np.log(weights)[None] + 0.1 * rng.normal(size=(1, members)))[0]
        assert pool_loss(logs, labels, other, shrinkage) >= best - 1e-4


def test_a_better_member_weighs_more_as_far_as_the_rows_show_it():
    logs, labels = simulated(2, 20_000, 0, [0.3, 3.0])
    free, tied = pool_weights(logs, labels, 1.0), pool_weights(logs, labels, 1e7)
    assert free[1] > 0.9
    np.testing.assert_allclose(tied, 0.5, atol=0.01)


def test_members_that_agree_weigh_the_same():
    logs, labels = simulated(1, 500, 1, [1.0])
    np.testing.assert_allclose(pool_weights(np.repeat(logs, 3, axis=1), labels, 100.0), 1 / 3, atol=1e-6)


@pytest.fixture(scope="module")
def fitted(planted_case):
    config, bars = planted_case
    bars = [replace(one, symbol=name) for one, name in zip(bars, ("AAA", "BBB", "CCC", "DDD"), strict=True)]
    return EnsemblePredictor(config=config, seeds=(1, 2)).fit(bars), bars


def test_one_frame_holds_both_kinds(fitted):
    ensemble, bars = fitted
    assert ensemble.symbols == ("AAA", "BBB", "CCC", "DDD")
    assert ensemble.weights_.shape == (3,)
    found = ensemble.predict(bars)
    volatility = ensemble.predictors_[2].predict(bars)
    np.testing.assert_allclose(found["volatility"], volatility.loc[found.index, "volatility"], rtol=1e-5)
    np.testing.assert_allclose(found[list(CLASSES)].sum(axis=1), 1.0)
    np.testing.assert_allclose(found["confidence"], found[list(CLASSES)].max(axis=1))
    assert found["label"].iloc[0] == found[list(CLASSES)].iloc[0].idxmax()
    assert found.notna().all(axis=None)
    assert len(found) == len(volatility)


def test_bars_that_any_fleet_has_seen_are_in_sample(fitted):
    ensemble, bars = fitted
    first, later = ensemble.predictors_[0], copy(ensemble.predictors_[2])
    later.calibrated_to = first.calibrated_to + timedelta(days=9)
    for members in ([first, later], [later, first]):
        seen = EnsemblePredictor(members).predict(bars)["in_sample"]
        dates = seen.index.get_level_values("date")
        np.testing.assert_array_equal(seen, dates < later.calibrated_to)
        assert seen.dtype == bool and 0 < seen.sum() < len(seen)


def test_the_pool_is_the_weighted_geometric_mean(fitted):
    ensemble, bars = fitted
    found = ensemble.predict(bars)
    logs = [np.log(member.predict_proba(bars).loc[found.index].to_numpy()) for member in ensemble.predictors_[:2]]
    assert not np.allclose(logs[0], logs[1]), "seeds differ"
    mixed = np.exp(sum(w * log for w, log in zip(1.5 * ensemble.weights_[:2], logs, strict=True)))
    np.testing.assert_allclose(found[list(CLASSES)], mixed / mixed.sum(axis=1, keepdims=True), rtol=1e-5)


def test_fitted_predictors_combine_with_equal_weights(fitted):
    ensemble, bars = fitted
    one = EnsemblePredictor([ensemble.predictors_[0], ensemble.predictors_[2]])
    found = one.predict(bars)[list(CLASSES)]
    np.testing.assert_allclose(found, ensemble.predictors_[0].predict_proba(bars).loc[found.index], rtol=1e-5)
    few = VolatilityPredictor.from_state(
        ensemble.symbols, ensemble.predictors_[2].to_arrays(), ensemble.predictors_[2].meta(), ("CCC", "AAA")
    )
    both = EnsemblePredictor([*ensemble.predictors_[:2], few])
    assert both.weights_[0] == both.weights_[1]
    assert both.symbols == ("AAA", "CCC")
    assert both.predict(bars).index.get_level_values("symbol").unique().tolist() == ["AAA", "CCC"]


def test_mistakes_are_told_in_a_line(fitted, make_universe):
    ensemble, bars = fitted
    with pytest.raises(ModelError, match=r"Call fit\(bars\) first"):
        EnsemblePredictor(config=ensemble.config).predict(bars)
    with pytest.raises(ModelError, match="at least one seed"):
        EnsemblePredictor(seeds=())
    with pytest.raises(ModelError, match=r"at least one predictor. Give some, such as"):
        EnsemblePredictor([])
    with pytest.raises(ModelError, match="none of these symbols was fitted"):
        ensemble.predict(make_universe(("ZZZ",)))
    with pytest.raises(ConfigError, match="expected a list of predictors"):
        EnsemblePredictor(ensemble.config)
    assert isinstance(ensemble.predictors_[0], PriceDirectionPredictor)
