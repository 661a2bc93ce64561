"""A model remembers the universe it was fitted with, and never takes another for it without a word."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from features import build_panel, build_universe
from features.feature_plan import universe_columns
from features.universe import UniverseFacts
from training import EnsemblePredictor, PriceDirectionPredictor, VolatilityPredictor

NAMES = ("AAA", "BBB", "CCC", "DDD", "EEE", "FFF")
FEW = r"bars of 1 of the universe's symbols are given, and the model was fitted with 6\. Give the bars of at least half"


@pytest.fixture(scope="module")
def fitted(tiny_config, make_universe):
    bars = make_universe(NAMES)
    return EnsemblePredictor(config=tiny_config(), seeds=(1,)).fit(bars), bars


@pytest.fixture(params=["direction", "volatility"])
def predictor(request, fitted):
    return next(one for one in fitted[0].predictors_ if one.kind == request.param)


def view(predictor, symbol="AAA"):
    return type(predictor).from_state(predictor.symbols, predictor.to_arrays(), predictor.meta(), (symbol,))


def test_facts_are_those_of_the_universe_and_survive(predictor):
    assert predictor.meta()["universe"] == {"members": 6, "lag": 0}
    assert view(predictor).universe == predictor.universe == UniverseFacts(6, 0)


def test_a_view_with_one_symbols_bars_warns_and_works(predictor, fitted):
    one, bars = view(predictor), fitted[1]
    assert set(one.feature_names) & universe_columns(one.config.features)
    with pytest.warns(UserWarning, match=FEW) as caught:
        found = one.predict(bars[0])
    assert len(caught) == 1
    assert caught[0].filename == __file__
    usual = one.predict(bars).loc[["AAA"]]
    assert found.index.equals(usual.index)
    assert np.isfinite(found.select_dtypes("number").to_numpy()).all()
    with pytest.warns(UserWarning, match=FEW):
        panel = one.panel(bars[:1])
    missing = np.isnan(panel.features).all(axis=0)
    relative = [name in universe_columns(one.config.features) for name in panel.feature_names]
    np.testing.assert_array_equal(missing, relative)


def test_the_whole_universe_gives_the_numbers_of_the_fit_without_a_warning(predictor, fitted):
    bars = fitted[1]
    table = build_universe(bars, predictor.config.features)
    label = predictor.config.direction.label
    panel = build_panel(bars, predictor.config.features, table, label=label, columns=predictor.feature_names)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = predictor.predict(bars)
        few = predictor.predict(bars[:3])
    pd.testing.assert_frame_equal(found, predictor.predict_panel(panel))
    assert len(few) == len(found) / 2


def test_a_table_gives_the_numbers_of_the_bars_it_was_built_of(predictor, fitted):
    ensemble, bars = fitted
    table = build_universe(bars, predictor.config.features)
    one = view(predictor)
    pd.testing.assert_frame_equal(one.predict(bars[:1], universe=table), one.predict(bars).loc[["AAA"]])
    pd.testing.assert_frame_equal(
        ensemble.predict(bars[:1], universe=table), ensemble.predict(bars).loc[["AAA"]], rtol=1e-6
    )
    with pytest.warns(UserWarning, match="bars of 2 of the universe's symbols"):
        one.predict(bars, universe=build_universe(bars[:2], predictor.config.features))


def test_half_of_a_small_universe_is_too_little_to_be_relative_to(tiny_config, make_universe):
    bars = make_universe(NAMES[:4])
    predictor = PriceDirectionPredictor(tiny_config("direction.strategy=per_symbol")).fit(bars)
    with pytest.warns(
        UserWarning, match="bars of 2 of the universe's symbols are given, and the model was fitted with"
    ):
        predictor.predict(bars[:2])


def test_the_lag_of_the_fit_holds_whatever_is_given_later(tiny_config, make_universe):
    bars = make_universe(NAMES)
    coins = [replace(b, dates=b.dates[0] + np.arange(len(b)) * np.timedelta64(1, "D")) for b in bars[3:]]
    mixed = [*bars[:3], *coins]
    predictor = PriceDirectionPredictor(tiny_config("direction.strategy=per_symbol")).fit(mixed)
    assert predictor.universe == UniverseFacts(6, 1)
    stocks = predictor.panel(bars[:3])
    assert build_universe(bars[:3], predictor.config.features).lag == 0
    assert stocks.universe == UniverseFacts(3, 1)
    table = replace(build_universe(mixed, predictor.config.features), lag=0)
    np.testing.assert_array_equal(
        predictor.panel(bars[:3], universe=table).features, predictor.panel(mixed).select(NAMES[:3]).features
    )
    assert predictor.examples(bars[:3]).panel.universe == UniverseFacts(3, 1)


def test_features_of_a_symbol_alone_need_no_universe(tiny_config, make_universe):
    bars = make_universe(NAMES)
    config = tiny_config("volatility.members=[linear]", "features.technical_indicators=[trend]")
    predictor = VolatilityPredictor(config).fit(bars)
    pd.testing.assert_frame_equal(predictor.predict(bars[0]), predictor.predict(bars).loc[["AAA"]])
