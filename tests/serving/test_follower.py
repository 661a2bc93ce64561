"""A server follows its store: promotions and newer bars replace the whole snapshot, damage changes nothing."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event

import numpy as np
import pandas as pd
import pytest
from waiting import wait_until

from configs.errors import ModelError
from configs.operation import ServeConfig
from features.store.lake import Lake
from serving.answers import KINDS, PredictionRequest
from serving.engine import PredictionEngine
from serving.follower import Follower
from training import ModelManager, ModelTrainer

pytestmark = pytest.mark.slow


def second(manager, kind):
    return manager.versions(kind)[1]


def answers(engine, symbols=None):
    found = engine.predict_batch([PredictionRequest(symbol) for symbol in symbols or engine.snapshot.symbols])
    assert all(answer.error is None for answer in found)
    return found


def predictions(engine):
    return [answer.prediction for answer in answers(engine)]


def test_a_promotion_and_a_rollback_are_followed(store, start_engine):
    manager, engine = ModelManager(store), start_engine()
    before = predictions(engine)
    assert not engine.refresh()
    for kind in KINDS:
        manager.promote(kind, second(manager, kind), "test")
        assert engine.refresh()
        assert {getattr(prediction, kind).version for prediction in predictions(engine)} == {second(manager, kind)}
    after = predictions(engine)
    assert [new.volatility.annualised for new in after] != [old.volatility.annualised for old in before]
    for kind in KINDS:
        manager.rollback(kind)
    assert engine.refresh()
    assert predictions(engine) == before


def test_windows_of_the_same_bars_and_features_are_reused(store, start_engine):
    manager, engine = ModelManager(store), start_engine()
    windows = engine.snapshot.windows
    assert windows["direction"] is windows["volatility"]
    manager.promote("direction", second(manager, "direction"), "test")
    assert engine.refresh()
    assert engine.snapshot.windows["direction"] is windows["direction"]
    assert engine.snapshot.fleets["volatility"].version == manager.aliases("volatility").champion


def test_newer_bars_are_followed(store, start_engine, universe):
    engine = start_engine()
    for bars in universe.values():
        Lake(store).append(bars)
    assert engine.refresh()
    for prediction in predictions(engine):
        assert np.datetime64(prediction.as_of) == universe[prediction.symbol].dates[-1]
    with PredictionEngine(store, follow=False) as fresh:
        assert predictions(fresh) == predictions(engine)


def test_a_damaged_version_is_refused_and_the_old_one_stays_in_service(store, start_engine, caplog):
    manager, engine = ModelManager(store), start_engine()
    before = predictions(engine)
    version = second(manager, "direction")
    block = Path(store.path(f"models/direction/{version}/block-00001.safetensors"))
    intact = block.read_bytes()
    block.write_bytes(intact[:-8] + b"\x00" * 8)
    manager.promote("direction", version, "test")
    assert not engine.refresh()
    health = engine.health_check()
    assert health["status"] == "degraded" and "block-00001" in health["problems"][0]
    assert "the snapshot loaded before stays in service" in caplog.text
    assert predictions(engine) == before
    block.write_bytes(intact)
    assert engine.refresh()
    assert engine.health_check()["status"] == "stale"
    assert answers(engine)[0].direction.version == version


@pytest.mark.parametrize("damage", [b"garbage", b"[" * 50_000])
def test_damaged_aliases_of_one_kind_stop_a_start_and_are_the_reason_in_health(store, start_engine, damage):
    engine, aliases = start_engine(), Path(store.path("models/direction/aliases.json"))
    before, intact = predictions(engine), aliases.read_bytes()
    aliases.write_bytes(damage)
    with pytest.raises(ModelError, match=r"direction/aliases\.json.*models promote VERSION"):
        start_engine()
    assert not engine.refresh()
    health = engine.health_check()
    assert health["status"] == "degraded" and "direction/aliases.json" in health["problems"][0]
    assert predictions(engine) == before
    aliases.write_bytes(intact)
    engine.refresh()
    assert engine.health_check()["status"] == "stale"


def test_damaged_bars_change_nothing_until_they_are_repaired(store, start_engine):
    engine = start_engine()
    before = predictions(engine)
    file = Path(store.path("lake/bars/BBB.parquet"))
    intact = file.read_bytes()
    file.write_bytes(intact[:100])
    assert not engine.refresh()
    assert "BBB.parquet" in engine.health_check()["problems"][0]
    assert predictions(engine) == before
    file.write_bytes(intact)
    assert engine.refresh()
    assert predictions(engine) == before


@pytest.mark.parametrize("part", ["", "models", "lake", "models/direction"])
def test_a_store_that_is_unreachable_for_a_while_fails_no_answer(store, start_engine, part, tmp_path):
    engine = start_engine()
    before = predictions(engine)
    place = Path(store.root, part)
    shutil.move(place, tmp_path / "away")
    for _ in range(2):
        engine.refresh()
        assert engine.health_check()["status"] == "degraded"
        assert predictions(engine) == before
    shutil.move(tmp_path / "away", place)
    engine.refresh()
    assert engine.health_check()["status"] == "stale"
    assert predictions(engine) == before


def test_bars_are_read_after_an_import_has_ended(store, universe):
    follower, lake = Follower(store, "champion", ServeConfig()), Lake(store)
    lake.append(universe["AAA"])
    assert not follower.refresh(settle=True)
    lake.append(universe["BBB"])
    assert not follower.refresh(settle=True)
    assert follower.refresh(settle=True)
    assert np.datetime64(follower.snapshot.prediction("BBB").as_of) == universe["BBB"].dates[-1]


def test_a_promotion_during_an_import_uses_the_bars_from_before(store, universe):
    manager, follower = ModelManager(store), Follower(store, "champion", ServeConfig())
    before = follower.snapshot.bars_stamp
    Lake(store).append(universe["AAA"])
    manager.promote("direction", second(manager, "direction"), "test")
    assert follower.refresh(settle=True)
    assert (
        follower.snapshot.versions["direction"] == second(manager, "direction")
        and follower.snapshot.bars_stamp == before
    )
    assert np.datetime64(follower.snapshot.prediction("AAA").as_of) == universe["AAA"].dates[479]
    assert follower.refresh(settle=True)
    assert np.datetime64(follower.snapshot.prediction("AAA").as_of) == universe["AAA"].dates[-1]


def test_each_kind_reads_its_own_market_series_and_follows_them(store, tiny_config, universe):
    dates = universe["AAA"].dates[:480]
    series = pd.DataFrame({"date": dates, "series": "VIX", "value": 20 + np.sin(np.arange(480) / 9)})
    Lake(store).write_context(series)
    wanted = "features.technical_indicators=[trend, volatility, market_context]"
    with_series = tiny_config("data.bars=lake", "features.max_features=null", wanted, "data.context.kinds={VIX: level}")
    symbols = ["AAA", "BBB", "CCC"]
    ModelTrainer(with_series, store).train_multi_asset_models(symbols, ["volatility"], promote="always")
    with PredictionEngine(store, follow=False) as engine:
        first = answers(engine, symbols)
        assert all(len(answer.prediction.notes) == 1 and answer.prediction.stale for answer in first)
        later = replace(universe["AAA"], dates=universe["AAA"].dates + np.timedelta64(2000, "D"))
        (note, _) = engine.predict_single(PredictionRequest("AAA", later)).prediction.notes
        assert "market series that the model reads have no recent value" in note
        windows = engine.snapshot.windows
        assert windows["direction"].context is None and windows["volatility"].context is not None
        assert not engine.refresh()
        Lake(store).write_context(series.assign(value=lambda f: f["value"] + np.where(np.arange(480) > 430, 15, 0)))
        assert engine.refresh()
        after = answers(engine, symbols)
        assert [answer.direction for answer in after] == [answer.direction for answer in first]
        assert [answer.volatility for answer in after] != [answer.volatility for answer in first]


def test_ten_promotions_under_load_fail_no_request_and_mix_no_versions(store, start_engine):
    manager = ModelManager(store)
    engine = start_engine(follow=True, config=ServeConfig(poll_s=0.02))
    symbols, stop = engine.snapshot.symbols, Event()
    pairs = set()

    def ask():
        count = 0
        while not stop.is_set():
            found = engine.predict_batch([PredictionRequest(symbol) for symbol in symbols])
            assert all(answer.error is None for answer in found)
            for kind in KINDS:
                assert len({getattr(answer, kind).version for answer in found}) == 1
            pairs.add((found[0].direction.version, found[0].volatility.version))
            count += 1
        return count

    with ThreadPoolExecutor(3) as pool:
        asking = [pool.submit(ask) for _ in range(3)]
        for turn in range(10):
            version = manager.versions("direction")[(turn + 1) % 2]
            manager.promote("direction", version, "test")
            wait_until(lambda version=version: engine.snapshot.versions["direction"] == version)
        stop.set()
        assert all(thread.result() > 0 for thread in asking)
    assert len(pairs) == 2


def test_a_store_without_the_wanted_version_is_refused(store, tmp_path):
    with pytest.raises(ModelError, match=r"holds no direction model\. Make one with `fleetcast train`"):
        PredictionEngine(tmp_path / "empty")
    with pytest.raises(ModelError, match="'nosuch' is no version of"):
        PredictionEngine(store, alias="nosuch")


def test_without_a_lake_bars_come_from_the_source_of_training(tiny_config, tmp_path, make_universe):
    folder = tmp_path / "bars"
    folder.mkdir()
    for bars in make_universe(("AAA", "BBB"), bars=450):
        columns = {name: getattr(bars, name) for name in ("open", "high", "low", "close", "volume")}
        pd.DataFrame({"date": bars.dates, **columns}).to_csv(folder / f"{bars.symbol}.csv")
    trainer = ModelTrainer(tiny_config(f"data.bars={folder}"), tmp_path / "store")
    trainer.train_multi_asset_models([], ["volatility"])
    with PredictionEngine(trainer.store, follow=False) as engine:
        (first, _) = engine.predict_batch(
            [PredictionRequest(symbol, prediction_types=["volatility"]) for symbol in ("AAA", "BBB")]
        )
        assert first.error is None
        assert engine.predict_single(PredictionRequest("AAA")).volatility == first.volatility
        assert engine.health_check()["bars"]["source"] == str(folder)
        shorter = pd.read_csv(folder / "AAA.csv").iloc[:-20]
        shorter.to_csv(folder / "AAA.csv")
        assert engine.refresh()
        assert engine.predict_single(PredictionRequest("AAA", prediction_types=["volatility"])).as_of < first.as_of
