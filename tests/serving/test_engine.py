"""The engine answers as the predictors do, for any mix of symbols, and explains what it cannot answer."""

import importlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from configs.errors import ConfigError, ModelError
from configs.operation import ServeConfig
from features import build_universe
from features.store.lake import Lake
from serving.answers import KINDS, PredictionRequest
from serving.engine import PredictionEngine
from training import ModelManager

SYMBOLS = ("AAA", "BBB", "CCC", "DDD", "EEE")
LAKE_BARS = 480


def frame(bars, **changes):
    columns = {name: getattr(bars, name) for name in ("open", "high", "low", "close", "volume")}
    return pd.DataFrame({"date": bars.dates, **columns} | changes)


@pytest.fixture(scope="module")
def expected(trained_store, bars_of):
    """The forecasts of each symbol's champion predictors at the last bar of the lake."""
    manager = ModelManager(trained_store)
    bars = [bars_of(symbol, LAKE_BARS) for symbol in SYMBOLS]
    out = {}
    for symbol in SYMBOLS:
        direction, volatility = (
            manager.load_model(f"{name}_{symbol}", "champion").predict(bars).loc[symbol].iloc[-1]
            for name in ("price_direction", "volatility")
        )
        out[symbol] = direction, volatility
    return out


def agrees(prediction, expected):
    direction, volatility = expected
    chances = prediction.direction.probabilities
    ours = [chances.down, chances.sideways, chances.up]
    np.testing.assert_allclose(ours, direction[["down", "sideways", "up"]].to_numpy(float), rtol=1e-5)
    label_set = [name for name in ("down", "sideways", "up") if direction[f"in_set_{name}"]]
    assert list(prediction.direction.label_set) == label_set
    assert prediction.direction.confidence == max(ours)
    ours = [prediction.volatility.annualised, prediction.volatility.low, prediction.volatility.high]
    theirs = volatility[["volatility", "volatility_low", "volatility_high"]].to_numpy(float)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    return True


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


def test_a_newest_bar_that_is_off_by_a_factor_is_not_served_and_leaves_the_universe(store, start_engine, bars_of):
    lake, newest = Lake(store), [bars_of(symbol, LAKE_BARS + 1).last(1) for symbol in SYMBOLS]
    for bars in newest[1:]:
        lake.append(bars)
    lake.remove(["AAA"])
    engine = start_engine()
    without = engine.predict_single(PredictionRequest("BBB")).prediction
    prices = {name: 100.0 * getattr(newest[0], name) for name in ("open", "high", "low", "close")}
    lake.append(bars_of("AAA", LAKE_BARS))
    lake.append(replace(newest[0], **prices))
    assert engine.refresh()
    answer, other = engine.predict_batch([PredictionRequest("AAA"), PredictionRequest("BBB")])
    assert answer.error.message.startswith("prices step: ×100 from ") and answer.volatility is None
    assert other.volatility.annualised == without.volatility.annualised
    assert any("AAA: prices step" in problem for problem in engine.health_check()["problems"])
    assert not engine.history("AAA", 50)["close"]
    assert start_engine().predict_single(PredictionRequest("AAA")).error == answer.error  # from the stored windows


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


def test_only_the_requested_kinds_are_answered(engine):
    for kind in KINDS:
        answer = engine.predict_single(PredictionRequest("AAA", prediction_types=[kind]))
        other = "volatility" if kind == "direction" else "direction"
        assert getattr(answer, kind) is not None and getattr(answer, other) is None and answer.error is None
    with pytest.raises(ConfigError, match="one or more of direction, volatility"):
        PredictionRequest("AAA", prediction_types=["returns"])
    with pytest.raises(ConfigError, match="one or more"):
        PredictionRequest("AAA", prediction_types=[])


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


def test_a_symbol_that_entered_the_lake_after_training_is_served(store, bars_of):
    with PredictionEngine(store, follow=False) as engine:
        before = engine.predict_single(PredictionRequest("AAA"))
        assert "NEW" not in engine.snapshot.symbols
        Lake(store).append(replace(bars_of("CCC", LAKE_BARS), symbol="NEW"))
        Lake(store).append(replace(bars_of("CCC", 50), symbol="YOUNG"))
        assert engine.refresh()
        assert engine.snapshot.symbols == sorted([*SYMBOLS, "NEW", "YOUNG"])
        new = engine.predict_single(PredictionRequest("NEW"))
        assert (new.error, new.direction.basis, new.volatility.basis) == (None, "pooled", "pooled")
        assert engine.predict_single(PredictionRequest("YOUNG")).error.code == "too_few_bars"
        assert engine.predict_single(PredictionRequest("AAA")).prediction == before.prediction
        assert engine.history("NEW", 50)["volatility"]["annualised"]
        # A damaged file that no model needs must not stop the symbols that are served.
        Lake(store).append(replace(bars_of("CCC", LAKE_BARS), symbol="BAD"))
        (file,) = (path for path in Path(store.root).rglob("*.parquet") if "BAD" in str(path))
        file.write_bytes(file.read_bytes()[:200])
        assert engine.refresh()
        assert engine.predict_single(PredictionRequest("BAD")).error.code == "no_bars"
        assert engine.predict_single(PredictionRequest("NEW")).error is None
        assert engine.health_check()["status"] == "stale"
    with PredictionEngine(store, follow=False, config=ServeConfig(unseen="refuse")) as engine:
        assert engine.snapshot.symbols == sorted(SYMBOLS)
        assert engine.predict_single(PredictionRequest("NEW")).error.code == "unknown_symbol"


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


def test_stale_bars_are_refused_if_a_maximum_age_is_set(trained_store):
    with PredictionEngine(trained_store, follow=False, config=ServeConfig(max_age_days=30)) as engine:
        answer = engine.predict_single(PredictionRequest("AAA"))
        assert answer.error.code == "stale_bars" and answer.direction is None
        assert answer.as_of is not None
        assert "serve.max_age_days allows 30" in answer.error.message
        assert engine.health_check()["status"] == "stale"
    with PredictionEngine(trained_store, follow=False, config=ServeConfig(max_age_days=36_500)) as engine:
        answer = engine.predict_single(PredictionRequest("AAA")).prediction
        assert answer.error is None and not answer.stale and engine.health_check()["status"] == "ok"


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
