"""The lake appends atomically and idempotently, also from several processes and on a full disk."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lake_bars import FIELDS, assert_equal_bars, cut, files, scaled, series

from configs.errors import DataError
from features.bars.merge import between, fingerprint
from features.bars.quarantine import Quarantine
from features.bars.schema import bars_from_frame
from features.store.lake import Lake
from features.store.lake_files import read_as
from features.store.store import Store


@pytest.fixture
def lake(tmp_path) -> Lake:
    return Lake(Store(tmp_path / "store"))


@pytest.mark.parametrize("symbol", ["X", "../../x", "a/b", "^GSPC", "EURUSD=X", "BRK B", "brk.b", "context"])
def test_bars_of_any_symbol_are_read_as_written(lake, symbol):
    bars = series(symbol)
    assert lake.append(bars).added == 300
    assert lake.symbols() == [symbol]
    assert_equal_bars(lake.read(symbol), bars)


def test_flags_of_close_only_series_are_stored(lake):
    (bars,), _ = bars_from_frame(pd.DataFrame({"date": ["2024-01-02", "2024-01-03"], "close": [1.0, 2.0]}), "EUR")
    lake.append(bars)
    assert_equal_bars(lake.read("EUR"), bars)


def test_appending_the_same_bars_changes_no_byte(lake, tmp_path):
    bars = series()
    lake.append(bars)
    before = files(tmp_path)
    times = [p.stat().st_mtime_ns for p in tmp_path.rglob("*.parquet")]
    again = lake.append(bars)
    assert (again.added, again.revised, again.stored) == (0, 0, 300)
    assert files(tmp_path) == before and [p.stat().st_mtime_ns for p in tmp_path.rglob("*.parquet")] == times


def test_revised_bars_replace_stored_ones_and_are_counted(lake):
    bars = series()
    lake.append(bars)
    revision = cut(scaled(bars, 1.5), slice(10, 12))
    change = lake.append(revision)
    assert (change.added, change.revised, change.rebased) == (0, 2, 1.0)
    stored = lake.read("X")
    np.testing.assert_array_equal(stored.close[10:12], revision.close)
    np.testing.assert_array_equal(np.delete(stored.close, [10, 11]), np.delete(bars.close, [10, 11]))


def test_a_split_since_the_last_import_rebases_stored_bars(lake):
    full = series()
    lake.append(cut(full, slice(0, 250)))
    change = lake.append(cut(scaled(full, 0.25), slice(200, 300)))
    assert change.rebased == pytest.approx(0.25) and change.added == 50
    np.testing.assert_allclose(lake.read("X").close, full.close / 4, rtol=1e-12)
    np.testing.assert_allclose(lake.read("X").volume, full.volume * 4, rtol=1e-12)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.data())
def test_the_order_and_number_of_appends_do_not_matter(tmp_path_factory, data):
    full = series(rows=30)
    pieces = data.draw(st.lists(st.sets(st.integers(0, 29), min_size=1), min_size=1, max_size=4))
    lakes = [Lake(Store(tmp_path_factory.mktemp("lake"))) for _ in range(2)]
    for lake, order in zip(lakes, (pieces, data.draw(st.permutations(pieces)) + pieces[:1]), strict=True):
        for piece in order:
            lake.append(cut(full, sorted(piece)))
    expected = cut(full, sorted(set().union(*pieces)))
    for lake in lakes:
        assert_equal_bars(lake.read("X"), expected)
    assert files(Path(lakes[0].store.root)) == files(Path(lakes[1].store.root))


def test_periods_include_both_days(lake):
    lake.append(series())
    part = lake.read("X", date(2020, 1, 10), date(2020, 1, 12))
    np.testing.assert_array_equal(part.dates, np.array(["2020-01-10", "2020-01-11", "2020-01-12"], "datetime64[ns]"))
    minutes = replace(part, dates=part.dates + np.timedelta64(15, "h"))
    assert len(between(minutes, None, date(2020, 1, 11))) == 2
    assert len(between(part, date(2021, 1, 1), date(2020, 1, 1))) == 0


def test_info_gives_rows_dates_and_sizes(lake):
    for seed, name in enumerate(["b", "A"]):
        lake.append(series(name, rows=10 + seed, seed=seed))
    found = lake.info()
    assert [(i.symbol, i.rows, i.first, i.last) for i in found] == [
        ("A", 11, pd.Timestamp("2020-01-01"), pd.Timestamp("2020-01-11")),
        ("b", 10, pd.Timestamp("2020-01-01"), pd.Timestamp("2020-01-10")),
    ]
    assert all(i.size > 0 for i in found)
    assert len(lake.read("b", end=date(2020, 1, 3))) == 3


def quarantined(*days: str, rule: str = "missing_price") -> Quarantine:
    frame = pd.DataFrame({"symbol": "X", "date": pd.to_datetime(list(days)), "rule": rule, "given": ""})
    frame = frame.assign(open=1.0, high=1.0, low=1.0, close=np.nan, volume=0.0)
    return Quarantine(frame[list(Quarantine.empty().frame.columns)].astype({"date": "datetime64[ns]"}))


def test_quarantined_rows_remain_until_a_later_import_has_their_date(lake, tmp_path):
    bars = series(rows=10)
    lake.append(cut(bars, [0, 1, 3]), quarantined("2020-01-03", "2020-02-01"))
    before = files(tmp_path)
    lake.append(cut(bars, [0, 1, 3]), quarantined("2020-01-03", "2020-02-01"))
    assert files(tmp_path) == before and len(lake.quarantine("X")) == 2
    lake.append(cut(bars, [2]), Quarantine.empty())
    assert lake.quarantine().frame["date"].tolist() == [pd.Timestamp("2020-02-01")]
    assert lake.quarantine("Y").counts() == {}


def test_market_series_are_read_as_written(lake):
    frame = pd.DataFrame({"date": ["2020-01-02", "2020-01-01"], "series": "VIX", "value": [2, 1], "source": "s"})
    lake.write_context(frame)
    stored = lake.read_context()
    assert stored["value"].tolist() == [1.0, 2.0] and list(stored) == ["date", "series", "value"]
    with pytest.raises(DataError, match="no column value"):
        lake.write_context(frame.drop(columns="value"))


def test_a_fingerprint_depends_on_every_value_and_not_on_memory_layout():
    bars = series(rows=20)
    copy = replace(bars, close=np.concatenate([bars.close, [0.0]])[:-1], dates=bars.dates.astype("datetime64[us]"))
    assert fingerprint(copy) == fingerprint(bars)
    changed = [replace(bars, symbol="Y"), replace(bars, has_range=False), cut(bars, slice(0, 19))]
    changed += [replace(bars, **{n: np.roll(getattr(bars, n), 1)}) for n in FIELDS]
    assert len({fingerprint(b) for b in [bars, *changed]}) == 1 + len(changed)


def test_a_symbol_is_removed_with_its_quarantined_rows(lake):
    bars = series("X")
    bad = bars_from_frame(pd.DataFrame({"date": ["2020-01-01", "2020-01-02"], "close": [-1.0, 1.0]}), "X")[1]
    lake.append(bars, bad)
    lake.append(series("Y"))
    with pytest.raises(DataError, match=r"'y' is not in the lake at .*Did you mean 'Y'\?"):
        lake.remove(["X", "y"])
    assert lake.symbols() == ["X", "Y"]
    lake.remove(["X"])
    assert lake.symbols() == ["Y"] and not lake.quarantined()
    with pytest.raises(DataError, match="fleetcast data import"):
        lake.read("X")


def test_a_renamed_symbol_keeps_its_bars_its_quarantined_rows_and_how_it_was_read(lake):
    bars = series("X")
    lake.append(
        bars,
        bars_from_frame(pd.DataFrame({"date": ["2019-01-01", "2020-01-02"], "close": [-1.0, 1.0]}), "X")[1],
        ["decimals: comma"],
    )
    lake.rename("X", "^NEW")
    assert read_as(lake.store, "^NEW") == ("decimals: comma",)
    assert lake.symbols() == ["^NEW"] and set(lake.quarantine().frame["symbol"]) == {"^NEW"}
    assert_equal_bars(lake.read("^NEW"), replace(bars, symbol="^NEW"))
    lake.append(series("Y", seed=1))
    for name in ("Y", "^NEW"):
        with pytest.raises(DataError, match="is in the lake already"):
            lake.rename("^NEW", name)
    assert lake.symbols() == ["Y", "^NEW"]


def test_a_rename_that_was_interrupted_is_finished_by_the_next(lake):
    lake.append(series("X"))
    lake.append(series("Y"))  # what an interrupted rename leaves: the same bars under both names
    lake.rename("X", "Y")
    assert lake.symbols() == ["Y"]
