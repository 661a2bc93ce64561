"""A server follows its store: promotions and newer bars replace everything at once, damage changes nothing."""

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event

import numpy as np
import pandas as pd
import pytest

from configs.errors import ModelError
from configs.operation import ServeConfig
from features.store.lake import Lake
from features.store.store import Store
from serving.answers import PredictionRequest
from serving.engine import PredictionEngine
from serving.follower import Follower
from training import ModelManager, ModelTrainer

KINDS = ("direction", "volatility")


def second(manager, kind):
    return manager.versions(kind)[1]


def answers(engine):
    found = engine.predict_batch([PredictionRequest(symbol) for symbol in engine.state.symbols])
    assert all(one.error is None for one in found)
    return found


def test_a_promotion_and_a_rollback_are_followed(store, start_engine):
    manager, engine = ModelManager(store), start_engine()
    before = answers(engine)
    assert not engine.refresh()
    for kind in KINDS:
        manager.promote(kind, second(manager, kind), "test")
        assert engine.refresh()
        assert {getattr(one, kind).version for one in answers(engine)} == {second(manager, kind)}
    after = answers(engine)
    assert [one.direction.probabilities for one in after] != [one.direction.probabilities for one in before]
    for kind in KINDS:
        manager.rollback(kind)
    assert engine.refresh()
    assert [one.prediction for one in answers(engine)] == [one.prediction for one in before]


def test_windows_of_the_same_bars_and_features_are_used_again(store, start_engine):
    manager, engine = ModelManager(store), start_engine()
    tails = engine.state.tails
    assert tails["direction"] is tails["volatility"]
    manager.promote("direction", second(manager, "direction"), "test")
    assert engine.refresh()
    assert engine.state.tails["direction"] is tails["direction"]
    assert engine.state.fleets["volatility"].version == manager.aliases("volatility").champion


def test_newer_bars_are_followed(store, start_engine, universe):
    engine = start_engine()
    for bars in universe.values():
        Lake(store).append(bars)
    assert engine.refresh()
    for one in answers(engine):
        assert np.datetime64(one.as_of) == universe[one.symbol].dates[-1]
    with PredictionEngine(store, follow=False) as fresh:
        assert [one.prediction for one in answers(fresh)] == [one.prediction for one in answers(engine)]


def test_a_damaged_version_is_refused_and_the_old_one_goes_on(store, start_engine, caplog):
    manager, engine = ModelManager(store), start_engine()
    before = answers(engine)
    version = second(manager, "direction")
    block = Path(store.path(f"models/direction/{version}/block-00001.safetensors"))
    whole = block.read_bytes()
    block.write_bytes(whole[:-8] + b"\x00" * 8)
    manager.promote("direction", version, "test")
    assert not engine.refresh()
    health = engine.health_check()
    assert health["status"] == "degraded" and "block-00001" in health["problems"][0]
    assert "what was loaded before goes on serving" in caplog.text
    assert [one.prediction for one in answers(engine)] == [one.prediction for one in before]
    block.write_bytes(whole)
    assert engine.refresh()
    assert engine.health_check()["status"] == "ok"
    assert answers(engine)[0].direction.version == version


def test_damaged_bars_change_nothing_until_they_are_repaired(store, start_engine):
    engine = start_engine()
    before = answers(engine)
    file = Path(store.path("lake/bars/BBB.parquet"))
    whole = file.read_bytes()
    file.write_bytes(whole[:100])
    assert not engine.refresh()
    assert "BBB.parquet" in engine.health_check()["problems"][0]
    assert [one.prediction for one in answers(engine)] == [one.prediction for one in before]
    file.write_bytes(whole)
    assert engine.refresh()
    assert [one.prediction for one in answers(engine)] == [one.prediction for one in before]


@pytest.mark.parametrize("part", ["", "models", "lake", "models/direction"])
def test_a_store_that_is_gone_for_a_while_fails_nothing(store, start_engine, part, tmp_path):
    engine = start_engine()
    before = answers(engine)
    place = Path(store.root, part)
    shutil.move(place, tmp_path / "away")
    for _ in range(2):
        engine.refresh()
        assert engine.health_check()["status"] == "degraded"
        assert [one.prediction for one in answers(engine)] == [one.prediction for one in before]
    shutil.move(tmp_path / "away", place)
    engine.refresh()
    assert engine.health_check()["status"] == "ok"
    assert [one.prediction for one in answers(engine)] == [one.prediction for one in before]


def test_an_import_that_is_going_on_is_waited_for(store, universe):
    follower, lake = Follower(store, "champion", ServeConfig()), Lake(store)
    lake.append(universe["AAA"])
    assert not follower.refresh(settle=True)
    lake.append(universe["BBB"])
    assert not follower.refresh(settle=True)
    assert follower.refresh(settle=True)
    assert np.datetime64(follower.state.prediction("BBB").as_of) == universe["BBB"].dates[-1]


def test_a_promotion_during_an_import_takes_the_bars_of_before(store, universe):
    manager, follower = ModelManager(store), Follower(store, "champion", ServeConfig())
    before = follower.state.stamp
    Lake(store).append(universe["AAA"])
    manager.promote("direction", second(manager, "direction"), "test")
    assert follower.refresh(settle=True)
    assert follower.state.versions["direction"] == second(manager, "direction") and follower.state.stamp == before
    assert np.datetime64(follower.state.prediction("AAA").as_of) == universe["AAA"].dates[479]
    assert follower.refresh(settle=True)
    assert np.datetime64(follower.state.prediction("AAA").as_of) == universe["AAA"].dates[-1]


def test_each_kind_reads_its_own_market_series_and_follows_them(tiny_config, tmp_path, make_universe):
    store, bars = Store(tmp_path / "store"), make_universe(("AAA", "BBB", "CCC"), bars=450)
    for one in bars:
        Lake(store).append(one)
    series = pd.DataFrame({"date": bars[0].dates, "series": "VIX", "value": 20 + np.sin(np.arange(450) / 9)})
    Lake(store).write_context(series)
    plain = tiny_config("data.bars=lake")
    ModelTrainer(plain, store).train_multi_asset_models([], ["direction"])
    wanted = "features.technical_indicators=[trend, volatility, market_context]"
    with_series = tiny_config("data.bars=lake", "features.max_features=null", wanted, "data.context.kinds={VIX: level}")
    ModelTrainer(with_series, store).train_multi_asset_models([], ["volatility"])
    with PredictionEngine(store, follow=False) as engine:
        first = answers(engine)
        assert all(one.prediction.notes == () for one in first)
        later = replace(bars[0], dates=bars[0].dates + np.timedelta64(2000, "D"))
        (note,) = engine.predict_single(PredictionRequest("AAA", later)).prediction.notes
        assert "market series that the model reads have no recent value" in note
        assert engine.state.tails["direction"].context is None and engine.state.tails["volatility"].context is not None
        assert not engine.refresh()
        Lake(store).write_context(series.assign(value=lambda f: f["value"] + np.where(np.arange(450) > 400, 15, 0)))
        assert engine.refresh()
        after = answers(engine)
        assert [one.direction for one in after] == [one.direction for one in first]
        assert [one.volatility for one in after] != [one.volatility for one in first]


def test_ten_promotions_under_load_give_no_failure_and_no_mixed_answer(store, start_engine):
    manager = ModelManager(store)
    engine = start_engine(follow=True, config=ServeConfig(poll_s=0.02))
    symbols, stop = engine.state.symbols, Event()
    pairs = set()

    def ask():
        count = 0
        while not stop.is_set():
            found = engine.predict_batch([PredictionRequest(symbol) for symbol in symbols])
            assert all(one.error is None for one in found)
            for kind in KINDS:
                assert len({getattr(one, kind).version for one in found}) == 1
            pairs.add((found[0].direction.version, found[0].volatility.version))
            count += 1
        return count

    with ThreadPoolExecutor(3) as pool:
        asking = [pool.submit(ask) for _ in range(3)]
        for turn in range(10):
            version = manager.versions("direction")[(turn + 1) % 2]
            manager.promote("direction", version, "test")
            deadline = time.monotonic() + 10
            while engine.state.versions["direction"] != version:
                assert time.monotonic() < deadline
                stop.wait(0.01)
        stop.set()
        assert all(one.result() > 0 for one in asking)
    assert len(pairs) == 2


def test_there_must_be_something_to_serve(store, tmp_path):
    with pytest.raises(ModelError, match=r"holds no direction model\. Make one with `fleetcast train`"):
        PredictionEngine(tmp_path / "empty")
    with pytest.raises(ModelError, match="'nosuch' is no version of"):
        PredictionEngine(store, alias="nosuch")


def test_without_a_lake_bars_come_from_where_the_models_were_trained(tiny_config, tmp_path, make_universe):
    folder = tmp_path / "bars"
    folder.mkdir()
    for one in make_universe(("AAA", "BBB"), bars=450):
        columns = {name: getattr(one, name) for name in ("open", "high", "low", "close", "volume")}
        pd.DataFrame({"date": one.dates, **columns}).to_csv(folder / f"{one.symbol}.csv")
    trainer = ModelTrainer(tiny_config(f"data.bars={folder}"), tmp_path / "store")
    trainer.train_multi_asset_models([], ["volatility"])
    with PredictionEngine(trainer.store, follow=False) as engine:
        (first, _) = engine.predict_batch(
            [PredictionRequest(s, prediction_types=["volatility"]) for s in ("AAA", "BBB")]
        )
        assert first.error is None
        assert engine.predict_single(PredictionRequest("AAA")).error.code == "no_model"
        assert engine.health_check()["bars"]["source"] == str(folder)
        longer = pd.read_csv(folder / "AAA.csv").iloc[:-20]
        longer.to_csv(folder / "AAA.csv")
        assert engine.refresh()
        assert engine.predict_single(PredictionRequest("AAA", prediction_types=["volatility"])).as_of < first.as_of
