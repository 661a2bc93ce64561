"""The engine answers as the predictors do, for any mix of symbols, and explains what it cannot answer."""

import importlib
from dataclasses import replace

import numpy as np
import pytest
from served_answers import LAKE_BARS, SYMBOLS, agrees, frame

from configs.errors import ConfigError, ModelError
from serving.answers import KINDS, PredictionRequest
from serving.engine import PredictionEngine
from training import ModelManager


def test_answers_from_the_newest_bars_equal_the_predictors_forecasts(engine, expected, universe):
    answers = engine.predict_batch([PredictionRequest(symbol) for symbol in SYMBOLS])
    for symbol, answer in zip(SYMBOLS, answers, strict=True):
        assert answer.error is None and answer.source == "snapshot"
        assert agrees(answer.prediction, expected[symbol])
        assert np.datetime64(answer.as_of) == universe[symbol].dates[LAKE_BARS - 1]
        assert answer.prediction.close == universe[symbol].close[LAKE_BARS - 1]
        assert answer.versions == engine.snapshot.versions


@pytest.mark.parametrize("size", [1, 2, 7, 40])
def test_request_bars_give_the_same_numbers_in_any_mix_and_order(trained_store, expected, bars_of, size):
    with PredictionEngine(trained_store, follow=False, enable_caching=False) as engine:
        mix = np.random.default_rng(size).choice(SYMBOLS, size).tolist()
        requests = [PredictionRequest(symbol, bars_of(symbol, LAKE_BARS)) for symbol in mix]
        for symbol, answer in zip(mix, engine.predict_batch(requests), strict=True):
            assert answer.source == "computed"
            assert agrees(answer.prediction, expected[symbol])


def test_a_frame_gives_the_same_numbers(engine, expected, bars_of):
    for symbol in ("AAA", "EEE"):
        bars = bars_of(symbol, LAKE_BARS)
        table = frame(bars) if bars.has_range else frame(bars)[["date", "close"]]
        assert agrees(engine.predict_single(PredictionRequest(symbol, table)).prediction, expected[symbol])


def test_newer_bars_give_other_forecasts(engine, expected, universe):
    answer = engine.predict_single(PredictionRequest("AAA", universe["AAA"]))
    assert np.datetime64(answer.as_of) == universe["AAA"].dates[-1]
    assert answer.volatility.annualised != pytest.approx(expected["AAA"][1]["volatility"], rel=1e-6)


def test_only_the_requested_kinds_are_answered(engine):
    for kind in KINDS:
        answer = engine.predict_single(PredictionRequest("AAA", prediction_types=[kind]))
        other = "volatility" if kind == "direction" else "direction"
        assert getattr(answer, kind) is not None and getattr(answer, other) is None and answer.error is None
    with pytest.raises(ConfigError, match="one or more of direction, volatility"):
        PredictionRequest("AAA", prediction_types=["returns"])
    with pytest.raises(ConfigError, match="one or more"):
        PredictionRequest("AAA", prediction_types=[])


def test_the_same_bars_are_answered_from_the_cache_and_other_bars_are_not(trained_store, bars_of):
    with PredictionEngine(trained_store, follow=False) as engine:
        bars = bars_of("AAA", LAKE_BARS)
        once = engine.predict_single(PredictionRequest("AAA", bars))
        again = engine.predict_single(PredictionRequest("AAA", frame(bars)))
        assert (once.source, again.source) == ("computed", "cache")
        assert once.prediction == again.prediction
        moved = replace(bars, close=bars.close * np.where(np.arange(LAKE_BARS) == 400, 1.0001, 1.0))
        for request in (
            PredictionRequest("BBB", bars),
            PredictionRequest("AAA", moved),
            PredictionRequest("AAA", bars, ["direction"]),
        ):
            assert engine.predict_single(request).source == "computed"
        stats = engine.get_performance_stats()
        assert stats["cache_hit_rate"] == 1 / 5 and stats["success_rate"] == 1.0
        assert stats["sources"] == {"computed": 4, "cache": 1}
        assert 0 < stats["processing_time_s"]["p50"] <= stats["processing_time_s"]["p99"]


def test_many_threads_get_the_answers_of_one(trained_store, bars_of):
    from concurrent.futures import ThreadPoolExecutor

    with PredictionEngine(trained_store, follow=False) as engine, ThreadPoolExecutor(8) as pool:
        requests = [PredictionRequest(s, bars_of(s, n)) for n in (450, 470) for s in SYMBOLS] * 6
        alone = [engine.predict_single(request).prediction for request in requests[:10]]
        together = list(pool.map(lambda request: engine.predict_single(request).prediction, requests))
        assert together == alone * 6


def test_a_shard_loads_only_its_symbols_and_answers_the_same(trained_store, expected):
    with PredictionEngine(trained_store, follow=False, keep=lambda symbol: symbol in ("BBB", "EEE")) as engine:
        assert engine.snapshot.symbols == ["BBB", "EEE"]
        for symbol in ("BBB", "EEE"):
            assert agrees(engine.predict_single(PredictionRequest(symbol)).prediction, expected[symbol])
        assert engine.predict_single(PredictionRequest("AAA")).error.code == "unknown_symbol"


def test_health_reports_models_and_bars(engine):
    health = engine.health_check()
    assert health["status"] == "stale" and health["bars"]["stale_symbols"] == 5
    assert health["problems"][0].startswith("all symbols are stale: bars end on 2016-11-02, ")
    assert {kind: facts["symbols"] for kind, facts in health["models"].items()} == {"direction": 5, "volatility": 5}
    assert health["bars"]["source"] == "lake" and health["bars"]["symbols"] == 5


def test_a_champion_with_a_member_that_this_version_lacks_is_named(trained_store, monkeypatch):
    members = importlib.import_module("training.models.volatility.members")
    others = {name: spec for name, spec in members.catalog().items() if name != "boosting"}
    monkeypatch.setattr(members, "catalog", lambda: others)
    with pytest.raises(ModelError) as caught:
        PredictionEngine(trained_store, follow=False)
    version = ModelManager(trained_store).aliases("volatility").champion
    message = str(caught.value)
    assert f"the volatility version {version} cannot be loaded by this Fleetcast: volatility.members has" in message
    assert ".." not in message and message.endswith("`fleetcast models rollback`.")
