"""The window cache: the next server forecasts the same without featurising; damaged or outdated files are not used."""

import os
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from features.sources.files import FileSource
from features.store.lake import Lake
from features.store.store import Store
from serving.latest_windows import LatestWindows
from serving.newest_bars import NewestBars
from serving.window_cache import FOLDER, WindowCache

pytestmark = pytest.mark.slow

SERIES = ("offsets", "dates", "close", "variance", "ewma_vol")


@pytest.fixture
def built(monkeypatch):
    """Return the list of builds from bars so far."""
    builds = []
    build = LatestWindows.build.__func__

    def counted(cls, *arguments):
        builds.append(arguments)
        return build(cls, *arguments)

    monkeypatch.setattr(LatestWindows, "build", classmethod(counted))
    return builds


def answers(engine):
    return {symbol: engine.snapshot.prediction(symbol) for symbol in engine.snapshot.symbols}


def files(store, ending=""):
    return [name for name in store.names(FOLDER) if name.endswith(ending)]


def test_the_next_engine_answers_the_same_from_stored_windows(start_engine, built):
    first, count = start_engine(), len(built)
    second = start_engine()
    assert count > 0 and len(built) == count
    assert answers(second) == answers(first)
    for kind, ours in first.snapshot.windows.items():
        theirs = second.snapshot.windows[kind]
        assert theirs.recipe == ours.recipe and theirs.requested == ours.requested and theirs.note == ours.note
        assert np.array_equal(theirs.features, ours.features, equal_nan=True)
        assert replace(theirs.history, **{n: None for n in (*SERIES, "features")}) == replace(
            ours.history, **{n: None for n in (*SERIES, "features")}
        )
        for name in SERIES:
            a, b = getattr(theirs.history, name), getattr(ours.history, name)
            assert a.dtype == b.dtype and np.array_equal(a, b, equal_nan=name not in ("offsets", "dates"))


def test_the_next_engine_answers_request_bars_and_histories_the_same(start_engine, bars_of):
    from serving.answers import PredictionRequest

    first, second = start_engine(), start_engine()
    request = PredictionRequest("AAA", bars_of("AAA", 470))
    assert second.predict_single(request).prediction == first.predict_single(request).prediction
    assert second.history("BBB", 50) == first.history("BBB", 50)


def test_the_next_engine_reports_symbols_without_bars_too(start_engine, store):
    store.delete(f"lake/bars/{next(name for name in store.names('lake/bars') if 'CCC' in name)}")
    first, second = start_engine(), start_engine()
    assert first.snapshot.bars.missing and second.snapshot.bars.missing == first.snapshot.bars.missing
    assert second.snapshot.prediction("CCC").error == first.snapshot.prediction("CCC").error


def test_newer_bars_are_featurised_again(start_engine, store, bars_of, built):
    start_engine()
    count = len(built)
    Lake(store).append(bars_of("AAA", 490))
    newer = start_engine()
    assert len(built) > count
    assert newer.snapshot.last_bars["AAA"].as_of == bars_of("AAA", 490).dates[-1].astype("datetime64[us]").item()


@pytest.mark.parametrize("ending", [".safetensors", ".json"])
@pytest.mark.parametrize("damage", ["cut", "changed", "gone"])
def test_damaged_files_are_replaced(start_engine, store, built, ending, damage):
    expected, count = answers(start_engine()), len(built)
    for name in files(store, ending):
        path = f"{FOLDER}/{name}"
        data = bytearray(store.read(path))
        data[len(data) // 2 :] = b"" if damage == "cut" else bytes(255 - byte for byte in data[len(data) // 2 :])
        store.delete(path) if damage == "gone" else store.write(path, bytes(data))
    assert answers(start_engine()) == expected
    assert len(built) == 2 * count
    start_engine()
    assert len(built) == 2 * count


def test_files_of_older_bars_are_deleted_after_a_while(start_engine, store, bars_of):
    start_engine()
    old = set(files(store))
    Lake(store).append(bars_of("AAA", 490))
    start_engine()
    assert old < set(files(store))
    for name in old:
        os.utime(store.path(FOLDER, name), (0, 0))
    Lake(store).append(bars_of("AAA", 500))
    start_engine()
    assert old.isdisjoint(files(store)) and len(files(store)) == 2 * len(old)


def test_a_store_that_cannot_be_written_fails_no_answer(start_engine, store, built, caplog):
    store.write(FOLDER, b"a file where the folder would be")
    assert all(answer.error is None for answer in answers(start_engine()).values())
    assert "not stored" in caplog.text


def test_other_symbols_and_history_lengths_have_separate_files(start_engine, store, built):
    from configs.operation import ServeConfig

    start_engine()
    count = len(built)
    shard = start_engine(keep=lambda symbol: symbol < "CCC")
    shorter = start_engine(config=ServeConfig(history_bars=300))
    assert shard.snapshot.symbols == ["AAA", "BBB"] and len(built) > count + 1
    assert all(len(windows.history.dates) == 5 * 300 for windows in shorter.snapshot.windows.values())


@pytest.fixture
def folder(tmp_path, bars_of):
    """Bars of two symbols as files."""
    place = tmp_path / "csv"
    place.mkdir()
    for symbol in ("AAA", "BBB"):
        bars = bars_of(symbol, 400)
        frame = pd.DataFrame({name: getattr(bars, name) for name in ("open", "high", "low", "close", "volume")})
        frame.insert(0, "date", bars.dates)
        frame.to_csv(place / f"{symbol}.csv", index=False)
    return str(place)


def test_a_source_other_than_the_lake_is_read_once(folder, tmp_path, engine, monkeypatch):
    reads = []
    load = FileSource.load
    monkeypatch.setattr(FileSource, "load", lambda self, *given, **to: reads.append(given) or load(self, *given, **to))
    configs = [engine.snapshot.fleets["direction"].predictor.config]
    bars = NewestBars(Store(tmp_path / "other"), folder, ("AAA", "BBB"), 300, configs)
    assert [len(bars.bars_of(symbol)) for symbol in ("AAA", "BBB")] == [300, 300] and bars.bars_of("CCC") is None
    assert len(reads) == 1


@pytest.mark.parametrize(("wanted", "stored"), [(("AAA", "BBB"), True), (("AAA", "BBB", "ZZZ"), False)])
def test_windows_are_not_stored_if_the_source_lacked_a_symbol(folder, tmp_path, engine, wanted, stored):
    store, windows = Store(tmp_path / "other"), engine.snapshot.windows["direction"]
    bars = NewestBars(store, folder, wanted, 300, [engine.snapshot.fleets["direction"].predictor.config])
    assert len(list(bars.of_universe())) == 2
    WindowCache(windows.recipe, 5, set(wanted), bars, bars.stamp()).write(windows)
    assert bool(files(store)) is stored
