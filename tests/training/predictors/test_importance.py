"""Which features a predictor uses, on a universe where past moves are known to matter and volume is not."""

import numpy as np
import pytest

import training
from configs.errors import DataError, ModelError
from features.splits import resolve_split
from training.predictors.importance import mean_over_symbols, permutation_importance
from training.tasks import task_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def fitted(planted_case):
    """``roc_1`` tells the move that decides, ``roc_5`` and ``rsi_5`` a part of it, volume nothing."""
    from training import PriceDirectionPredictor

    config, bars = planted_case
    return PriceDirectionPredictor(config).fit(bars), bars


def test_the_feature_that_matters_comes_first(fitted):
    predictor, bars = fitted
    found = predictor.get_feature_importance(bars)
    assert set(found.index) == set(predictor.feature_names)
    rise, error = found.iloc[0]
    assert found.index[0] == "roc_1"
    assert rise > 5 * error > 0
    useless = found["importance"][found.index.str.startswith("volume")]
    assert len(useless)
    assert useless.max() < rise / 20
    assert found["importance"].is_monotonic_decreasing


def test_importance_is_the_same_for_the_same_seed(fitted):
    predictor, bars = fitted
    first = predictor.get_feature_importance(bars, seed=1)
    assert predictor.get_feature_importance(seed=1).equals(first), "by default of the fit's own validation rows"
    assert not predictor.get_feature_importance(bars, seed=2).equals(first)


def test_measuring_importance_leaves_the_examples_as_they_were(fitted):
    predictor, bars = fitted
    examples = predictor.examples(bars)
    before = examples.panel.features.copy()
    permutation_importance(predictor, examples)
    np.testing.assert_array_equal(examples.panel.features, before)


def test_importance_needs_validation_rows(fitted):
    predictor, bars = fitted
    split = resolve_split(bars[0].dates, predictor.config.split, 1)
    examples = task_of("direction").examples(predictor.panel(bars), split, predictor.config)
    nothing = tuple(rows._replace(valid=rows.valid[:0]) for rows in examples.rows)
    with pytest.raises(DataError, match="P000 has no validation rows"):
        permutation_importance(predictor, type(examples)(examples.panel, examples.targets, nothing))


def test_contributions_tell_what_moved_one_forecast(fitted):
    predictor, bars = fitted
    found = predictor.analyze_feature_contributions(bars, "P001")
    assert set(found.index) == set(predictor.feature_names)
    assert found.abs().is_monotonic_decreasing
    up = predictor.predict_direction(bars).loc["P001"].iloc[-1]
    leaning = np.log(up["up"] / up["down"])
    main = found.index[0]
    assert main in ("roc_1", "roc_5")
    assert np.sign(found[main]) == np.sign(leaning), "the forecast leans where its main reason points"


@pytest.mark.parametrize("name", ["PriceDirectionPredictor", "VolatilityPredictor"])
def test_features_that_a_model_does_not_see_contribute_nothing(make_universe, tiny_config, name):
    bars = make_universe(("AAA", "BBB", "CCC"))
    predictor = getattr(training, name)(tiny_config("features.max_features=2")).fit(bars)
    found = predictor.analyze_feature_contributions(bars, "AAA")
    assert (found != 0.0).sum() <= 2
    assert len(found) > 20


def test_volatility_explains_itself_too(make_universe, tiny_config):
    from training import VolatilityPredictor

    bars = make_universe(("AAA", "BBB", "CCC"))
    predictor = VolatilityPredictor(tiny_config("features.technical_indicators=[range_estimators]")).fit(bars)
    importance = predictor.get_feature_importance(bars)
    assert set(importance.index) == set(predictor.feature_names)
    assert np.isfinite(importance["importance"]).all() and (importance["standard_error"] >= 0).all()
    found = predictor.analyze_feature_contributions(bars, "BBB")
    assert (found != 0.0).any()


def test_a_symbol_without_a_model_cannot_be_explained(fitted, make_universe):
    predictor, bars = fitted
    with pytest.raises(DataError, match="no 'ZZZ'"):
        predictor.analyze_feature_contributions(bars, "ZZZ")
    with pytest.raises(ModelError, match="not fitted"):
        type(predictor)(predictor.config).get_feature_importance(bars)


def test_the_error_of_importance_is_clustered_by_day_or_by_symbol_whichever_is_larger():
    rng, days = np.random.default_rng(0), np.arange("2020-01-01", "2020-07-19", dtype="datetime64[D]")
    shock = rng.normal(size=len(days))
    symbol, both = np.repeat([0, 1], len(days)), np.tile(days, 2)
    mean, error = mean_over_symbols(np.tile(shock, 2), symbol, both, 0)
    assert mean == pytest.approx(shock.mean())
    assert error == pytest.approx(shock.std(ddof=1) / np.sqrt(len(days)), rel=0.01), "two equal symbols are one"
    apart = np.concatenate([shock - 5.0, shock + 5.0])
    assert mean_over_symbols(apart, symbol, both, 0)[1] == pytest.approx(5.0)
    assert mean_over_symbols(shock, symbol[: len(days)], days, 0)[1] == pytest.approx(error)
