"""Bars in any form that people have are the same bars; anything else is one clear error."""

import numpy as np
import pandas as pd
import pytest

from configs.errors import DataError
from features import FeatureEngineer, ReadingConfig, load_bars
from features.any_bars import read_bars

FIELDS = ("open", "high", "low", "close", "volume")


@pytest.fixture(scope="module")
def two(make_bars):
    return [make_bars(n=60, symbol="AAA"), make_bars(n=60, symbol="BBB", seed=3)]


def frame_of(bars, **more):
    return pd.DataFrame({**more, "date": bars.dates, **{name: getattr(bars, name) for name in FIELDS}})


def forms(two, folder):
    """Yield each form by name."""
    frames = {bars.symbol: frame_of(bars) for bars in two}
    long = pd.concat([frame_of(bars, symbol=bars.symbol) for bars in two])
    long.to_csv(folder / "all.csv", index=False)
    (folder / "prices").mkdir()
    for name, frame in frames.items():
        frame.to_csv(folder / "prices" / f"{name}.csv", index=False)
    indexed = {name: frame.set_index("date") for name, frame in frames.items()}
    return {
        "bars": two,
        "long": long,
        "shuffled": long.sample(frac=1.0, random_state=0),
        "dict": frames,
        "dict of dated frames": indexed,
        "dict of bars": {bars.symbol: bars for bars in two},
        "dict of rows": {name: frame.astype({"date": str}).to_numpy().tolist() for name, frame in frames.items()},
        "dict of records": {name: frame.to_dict("records") for name, frame in frames.items()},
        "two index levels": long.set_index(["symbol", "date"]),
        "index levels without names": pd.concat(indexed).rename_axis([None, None]),
        "dates first": long.set_index(["date", "symbol"]).sort_index(),
        "two column levels": pd.concat(indexed, axis=1),
        "path": folder / "all.csv",
        "text": str(folder / "prices"),
    }


def test_every_form_gives_the_same_bars(two, tmp_path):
    for name, form in forms(two, tmp_path).items():
        found, quarantine = read_bars(form)
        assert [bars.symbol for bars in found] == ["AAA", "BBB"], name
        assert not quarantine.lost(), name
        for bars, expected in zip(found, two, strict=True):
            np.testing.assert_array_equal(bars.dates, expected.dates, err_msg=name)
            np.testing.assert_allclose(bars.close, expected.close, rtol=1e-12, err_msg=name)


def test_a_lone_symbol_is_named_or_gets_a_name(two):
    lone = frame_of(two[0])
    closes = pd.Series(two[0].close, pd.DatetimeIndex(two[0].dates), name="whatever")
    assert [read_bars(form)[0][0].symbol for form in (lone, closes)] == ["SYMBOL"] * 2
    for form in (lone, closes, two[0], frame_of(two[0], symbol="X")):
        assert read_bars(form, "AAA")[0][0].symbol == "AAA"
    assert len(FeatureEngineer().engineer_features(closes, symbol="AAA").features) == 60
    with pytest.raises(DataError, match="2 symbols are given, so the one name 'AAA' does not apply"):
        read_bars(two, "AAA")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (42, "is a int; expected a data frame with dates and closes, a dict of frames"),
        (None, "is None; expected a data frame"),
        (np.zeros((3, 5)), "is a ndarray; expected a data frame"),
        ([], "no bars are given"),
        ({}, "no bars are given: the dict is empty"),
        ({1: 2}, "has the key 1; expected symbols"),
        ({"AAPL": 3}, "the bars of 'AAPL' is a int"),
        ([pd.DataFrame(), pd.DataFrame()], "a list of 2 frames without names. Give a dict"),
        ("nosuch.csv", "'nosuch.csv' is neither an existing path nor one of"),
        (pd.DataFrame({"x": [1]}), "has no column for date and close"),
    ],
)
def test_anything_else_is_one_clear_error(given, message):
    with pytest.raises(DataError, match=message):
        read_bars(given)
    with pytest.raises(DataError, match=message):
        FeatureEngineer().engineer_features(given)


def test_bars_at_hand_load_as_those_of_a_source(two):
    frames = {bars.symbol: frame_of(bars) for bars in two}
    for given in (frames, two, pd.concat([frame_of(bars, symbol=bars.symbol) for bars in two])):
        found = load_bars(given)
        assert found["symbol"].unique().tolist() == ["AAA", "BBB"] and len(found) == 120
        assert list(found)[:3] == ["symbol", "date", "open"]
    assert load_bars(frame_of(two[0]))["symbol"].unique().tolist() == ["SYMBOL"]
    day = str(two[0].dates[10])[:10]
    assert len(load_bars(frames, "BBB", end=day)) == 11
    with pytest.raises(DataError, match="the source has no bars of CCC; it has AAA, BBB"):
        load_bars(frames, ["AAA", "CCC"])
    with pytest.raises(DataError, match="no bars of these symbols in the requested period"):
        load_bars(frames, start="2200-01-01")


def test_errors_name_the_settings_of_python_and_those_are_taken(tmp_path):
    days = pd.date_range("2024-01-02", periods=9).strftime("%Y-%m-%d")
    frame = pd.DataFrame({"date": days, "close": [f"{i},{100 + i}" for i in range(1, 10)]})
    frame.to_csv(tmp_path / "X.csv", index=False)
    for given in (frame, {"X": frame}, str(tmp_path / "X.csv")):
        with pytest.raises(DataError, match=r"--decimal .*in Python: load_bars\(…, reading=ReadingConfig\(decimal=…\)"):
            load_bars(given)
        found = load_bars(given, reading=ReadingConfig(decimal=","))
        assert found["close"].tolist() == pytest.approx([i + (100 + i) / 1000 for i in range(1, 10)])


def test_bars_of_a_source_need_no_store(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    found = load_bars("embedded", ["AAPL", "IBM"], start="2010-01-01", end="2010-12-31")
    assert found["symbol"].unique().tolist() == ["AAPL", "IBM"] and found["date"].dt.year.unique().tolist() == [2010]
    assert list(tmp_path.iterdir()) == []
    with pytest.warns(UserWarning, match="'embedded' lacks 1 of the symbols"):
        assert load_bars("embedded", ["AAPL", "SPY"])["symbol"].unique().tolist() == ["AAPL"]
    with pytest.raises(DataError, match="no bars of these symbols"):
        load_bars("embedded", "SPY")
    with pytest.raises(DataError, match="start has value 'soon'; expected a day"):
        load_bars("embedded", start="soon")
