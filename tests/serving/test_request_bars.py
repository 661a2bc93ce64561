"""Bars that come with a request: what is mended, noted or refused, and symbols that no model was fitted on."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from served_answers import LAKE_BARS, SYMBOLS, agrees, frame

from configs.operation import ServeConfig
from features import build_universe
from serving.answers import PredictionRequest
from serving.engine import PredictionEngine
from training import ModelManager


def test_the_horizon_is_in_words_and_bars_of_another_period_are_refused(engine, bars_of):
    daily = bars_of("AAA", LAKE_BARS)
    answer = engine.predict_single(PredictionRequest("AAA", daily))
    assert answer.volatility.horizon == f"{answer.volatility.horizon_bars} trading days"
    assert answer.volatility.bars_per_year == 260.0 and "trading day" in answer.direction.horizon
    dates = np.datetime64("2010-01-01") + 7 * np.arange(LAKE_BARS)
    for symbol in ("AAA", "NEW"):
        weekly = replace(daily, dates=dates.astype("datetime64[ns]"))
        refused = engine.predict_single(PredictionRequest(symbol, weekly))
        assert refused.volatility is None and refused.direction is None and refused.error.code == "bad_bars"
        assert "the bars are weekly and the model was fitted on daily ones" in refused.error.message


def test_minute_bars_and_a_constant_price_are_refused(engine, bars_of):
    daily = bars_of("AAA", LAKE_BARS)
    minutes = np.datetime64("2024-01-02T14:30") + np.arange(LAKE_BARS).astype("timedelta64[m]")
    ones = {name: np.full(LAKE_BARS, 50.0) for name in ("open", "high", "low", "close")}
    wrong = {
        "the bars are 1-minute": replace(daily, dates=minutes.astype("datetime64[ns]")),
        "the price is 50 in all": replace(daily, **ones),
    }
    for symbol in ("AAA", "NEW"):
        for message, bars in wrong.items():
            refused = engine.predict_single(PredictionRequest(symbol, bars))
            assert refused.volatility is None and refused.direction is None and refused.error.code == "bad_bars"
            assert message in refused.error.message


@pytest.mark.slow
def test_prices_that_are_off_by_a_factor_are_mended_and_noted(engine, expected, bars_of):
    bars = bars_of("AAA", LAKE_BARS)
    prices = {name: getattr(bars, name).copy() for name in ("open", "high", "low", "close")}
    for values in prices.values():
        values[200] *= 100.0
    spiked = replace(bars, **prices)
    answer = engine.predict_single(PredictionRequest("AAA", spiked))
    assert "1 bar was left out as spikes: ×" in answer.prediction.notes[0]
    assert answer.volatility.annualised == pytest.approx(expected["AAA"][1]["volatility"], rel=0.05)
    for values in prices.values():
        values[:200], values[200] = 0.01 * values[:200], values[200] / 100.0
    error = engine.predict_single(PredictionRequest("AAA", replace(bars, **prices))).error
    assert error.code == "bad_bars" and error.message.startswith("prices step: ×100 from ")
    assert "pence against pounds" in error.message and "data.max_unexplained_steps" in error.message


def test_a_split_that_a_frame_names_is_applied_and_noted_and_one_that_is_applied_is_not(engine, expected, bars_of):
    table = frame(bars_of("AAA", LAKE_BARS)).assign(splits=0.0)
    table.loc[LAKE_BARS - 3, "splits"] = 4.0
    raw, prices = table.copy(), ["open", "high", "low", "close"]
    raw.loc[: LAKE_BARS - 4, prices] *= 4.0
    raw.loc[: LAKE_BARS - 4, "volume"] /= 4.0
    for given, noted in ((raw, True), (table, False)):
        answer = engine.predict_single(PredictionRequest("AAA", given))
        assert agrees(answer.prediction, expected["AAA"])
        assert any("4:1 split of the source" in note for note in answer.prediction.notes) == noted


def test_one_bad_request_fails_no_other(engine, bars_of, expected):
    good = bars_of("AAA", LAKE_BARS)
    torn = frame(good)
    torn.loc[10, "high"] = torn.loc[10, "low"] / 2
    requests = [
        PredictionRequest("AAA", good),
        PredictionRequest("ZZZ"),
        PredictionRequest("ZZZ", good),
        PredictionRequest("BBB", bars_of("BBB", 30)),
        PredictionRequest("BBB", pd.DataFrame({"when": [1]})),
        PredictionRequest("BBB", pd.concat([frame(good, symbol="X"), frame(good, symbol="Y")])),
        PredictionRequest("AAA", torn),
        PredictionRequest("CCC"),
    ]
    answers = engine.predict_batch(requests)
    codes = [answer.error.code if answer.error else None for answer in answers]
    assert codes == [None, "unknown_symbol", None, "too_few_bars", "bad_bars", "bad_bars", None, None]
    assert agrees(answers[0].prediction, expected["AAA"]) and agrees(answers[7].prediction, expected["CCC"])
    assert "30 bars; at least" in answers[3].error.message
    assert "the data of 'BBB' are of X, Y" in answers[5].error.message
    assert answers[6].prediction.notes[0].startswith("1 rows break a rule and were left out (")


def test_a_symbol_that_no_model_was_fitted_on_is_forecast_from_its_bars(trained_store, bars_of):
    bars = replace(bars_of("BBB", LAKE_BARS), symbol="ZZZ")
    manager = ModelManager(trained_store)
    universe = [bars_of(symbol, LAKE_BARS) for symbol in SYMBOLS]
    with PredictionEngine(trained_store, follow=False) as engine:
        own, pooled = engine.predict_batch([PredictionRequest("BBB", bars), PredictionRequest("ZZZ", bars)])
        assert (own.direction.basis, own.volatility.basis) == ("own", "own")
        assert (pooled.direction.basis, pooled.volatility.basis) == ("pooled", "pooled")
        assert not pooled.volatility.fallback and engine.get_performance_stats()["fallbacks"] == 0
    expected = []
    for name in ("price_direction", "volatility"):
        model = manager.load_model(f"{name}_AAA", "champion")
        table = build_universe(universe, model.config.features)
        expected.append(model.predict([bars], universe=table).iloc[-1])
    assert agrees(pooled.prediction, expected)
    refusing = ServeConfig(unseen="refuse")
    with PredictionEngine(trained_store, follow=False, config=refusing) as engine:
        assert engine.predict_single(PredictionRequest("ZZZ", bars)).error.code == "unknown_symbol"
        assert engine.predict_single(PredictionRequest("BBB", bars)).error is None
