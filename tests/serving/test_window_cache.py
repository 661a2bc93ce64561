"""Kept tails: the next server forecasts the same without reading bars; what is damaged or of other bars is not used."""

import os
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from features.sources.files import FileSource
from features.store.lake import Lake
from features.store.store import Store
from serving.latest_windows import LatestWindows
from serving.market import Market
from serving.window_cache import FOLDER, WindowCache

SERIES = ("offsets", "dates", "close", "variance", "ewma_vol")


@pytest.fixture
def built(monkeypatch):
    """Return how many tails were made of bars."""
    made = []
    build = LatestWindows.build.__func__

    def counted(cls, *arguments):
        made.append(arguments)
        return build(cls, *arguments)

    monkeypatch.setattr(LatestWindows, "build", classmethod(counted))
    return made


def answers(engine):
    state = engine.state
    return {symbol: state.prediction(symbol) for symbol in state.symbols}


def files(store, ending=""):
    return [name for name in store.names(FOLDER) if name.endswith(ending)]


def test_the_next_engine_answers_the_same_from_what_the_first_kept(start_engine, built):
    first, count = start_engine(), len(built)
    second = start_engine()
    assert count > 0 and len(built) == count
    assert answers(second) == answers(first)
    for kind, ours in first.state.tails.items():
        theirs = second.state.tails[kind]
        assert theirs.recipe == ours.recipe and theirs.wanted == ours.wanted and theirs.note == ours.note
        assert np.array_equal(theirs.features, ours.features, equal_nan=True)
        assert replace(theirs.history, **{n: None for n in (*SERIES, "features")}) == replace(
            ours.history, **{n: None for n in (*SERIES, "features")}
        )
        for name in SERIES:
            a, b = getattr(theirs.history, name), getattr(ours.history, name)
            assert a.dtype == b.dtype and np.array_equal(a, b, equal_nan=name not in ("offsets", "dates"))


def test_the_next_engine_answers_bars_that_are_sent_and_histories_the_same(start_engine, bars_of):
    from serving.answers import PredictionRequest

    first, second = start_engine(), start_engine()
    request = PredictionRequest("AAA", bars_of("AAA", 470))
    assert second.predict_single(request).prediction == first.predict_single(request).prediction
    assert second.history("BBB", 50) == first.history("BBB", 50)


def test_symbols_without_bars_are_told_by_the_next_engine_too(start_engine, store):
    store.delete(f"lake/bars/{next(name for name in store.names('lake/bars') if 'CCC' in name)}")
    first, second = start_engine(), start_engine()
    assert first.state.market.missing and second.state.market.missing == first.state.market.missing
    assert second.state.prediction("CCC").error == first.state.prediction("CCC").error


def test_newer_bars_are_featurised_anew(start_engine, store, bars_of, built):
    start_engine()
    count = len(built)
    Lake(store).append(bars_of("AAA", 490))
    newer = start_engine()
    assert len(built) > count
    assert newer.state.newest["AAA"][0] == bars_of("AAA", 490).dates[-1].astype("datetime64[us]").item()


@pytest.mark.parametrize("ending", [".safetensors", ".json"])
@pytest.mark.parametrize("damage", ["cut", "changed", "gone"])
def test_damaged_files_are_made_again(start_engine, store, built, ending, damage):
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


def test_what_was_kept_of_older_bars_goes_after_a_while(start_engine, store, bars_of):
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


def test_a_store_that_cannot_be_written_costs_nothing(start_engine, store, built, caplog):
    store.write(FOLDER, b"a file where the folder would be")
    assert all(one.error is None for one in answers(start_engine()).values())
    assert "not kept" in caplog.text


def test_other_symbols_and_histories_have_files_of_their_own(start_engine, store, built):
    from configs.operation import ServeConfig

    start_engine()
    count = len(built)
    some = start_engine(keep=lambda symbol: symbol < "CCC")
    shorter = start_engine(config=ServeConfig(history_bars=300))
    assert some.state.symbols == ["AAA", "BBB"] and len(built) > count + 1
    assert all(len(t.history.dates) == 5 * 300 for t in shorter.state.tails.values())


@pytest.fixture
def folder(tmp_path, bars_of):
    """Bars of two symbols as files."""
    place = tmp_path / "csv"
    place.mkdir()
    for symbol in ("AAA", "BBB"):
        one = bars_of(symbol, 400)
        frame = pd.DataFrame({name: getattr(one, name) for name in ("open", "high", "low", "close", "volume")})
        frame.insert(0, "date", one.dates)
        frame.to_csv(place / f"{symbol}.csv", index=False)
    return str(place)


def test_of_a_source_other_than_the_lake_bars_are_read_once(folder, tmp_path, engine, monkeypatch):
    reads = []
    load = FileSource.load
    monkeypatch.setattr(FileSource, "load", lambda self, *given: reads.append(given) or load(self, *given))
    configs = [engine.state.fleets["direction"].predictor.config]
    market = Market(Store(tmp_path / "other"), folder, ("AAA", "BBB"), 300, configs)
    assert len(market.of("AAA")) == 300 and len(market.of("BBB")) == 300 and market.of("CCC") is None
    assert len(reads) == 1


@pytest.mark.parametrize(("wanted", "kept"), [(("AAA", "BBB"), True), (("AAA", "BBB", "ZZZ"), False)])
def test_what_a_source_refused_for_the_moment_is_asked_for_again(folder, tmp_path, engine, wanted, kept):
    store, tails = Store(tmp_path / "other"), engine.state.tails["direction"]
    market = Market(store, folder, wanted, 300, [engine.state.fleets["direction"].predictor.config])
    assert len(list(market.bars())) == 2
    WindowCache(tails.recipe, 5, set(wanted), market, market.stamp()).write(tails)
    assert bool(files(store)) is kept
