"""Splits that a file names: prices decide whether they are applied; every way of the bars gives the same result."""

import dataclasses
from datetime import date

import numpy as np
import pandas as pd
import pytest

from configs.errors import DataError
from features.any_bars import load_bars
from features.bars.joining import joined
from features.bars.mending import adjusted_for_splits, mend
from features.bars.merge import between, fingerprint, merge
from features.bars.schema import bars_from_frame, read_frame
from features.bars.steps import find_steps
from features.sources.files import FileSource
from features.sources.lake import LakeSource
from features.sources.mended import MendedSource
from features.sources.yahoo import YahooSource
from features.store.lake import Lake
from features.store.store import Store

PRICES = ["Open", "High", "Low", "Close"]
ROW = 200


def table(rows=300, seed=0, volatility=0.012) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    close = 90.0 * np.exp(np.cumsum(rng.normal(0, volatility, rows)))
    opened = np.append(90.0, close[:-1]) * np.exp(rng.normal(0, 0.003, rows))
    reach = np.exp(0.006 * rng.random((2, rows)))
    high, low = np.maximum(opened, close) * reach[0], np.minimum(opened, close) / reach[1]
    columns = dict(zip(PRICES, (opened, high, low, close), strict=True))
    volume = rng.integers(10**5, 3 * 10**5, rows).astype(float)
    return pd.DataFrame({"Date": pd.bdate_range("2021-01-04", periods=rows), **columns, "Volume": volume})


def split(frame, ratio, row=ROW, name="Stock Splits", written=None, none=0.0, applied=False):
    """Return bars with a column that names a split; raw ones, unless it is applied."""
    frame = frame.copy()
    frame[name] = pd.Series([none] * len(frame), dtype=object if isinstance(written, str) else None)
    frame.loc[row, name] = ratio if written is None else written
    if not applied:
        frame.loc[row:, PRICES] /= ratio
        frame.loc[row:, "Volume"] *= ratio
    return frame


def bars_of(frame, symbol="X"):
    ((bars,), _) = bars_from_frame(frame, symbol)
    return bars


def assert_rebased(bars, whole, ratio):
    assert bars.splits is None and len(bars) == len(whole)
    np.testing.assert_allclose(bars.close, whole["Close"] / ratio, rtol=1e-6)
    np.testing.assert_allclose(bars.open, whole["Open"] / ratio, rtol=1e-6)
    np.testing.assert_allclose(bars.volume, whole["Volume"] * ratio, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "written", "none", "ratio"),
    [
        ("Stock Splits", None, 0.0, 4.0),
        ("split", None, np.nan, 4.0),
        ("splitFactor", None, 1.0, 1.5),
        ("8. split coefficient", None, 1.0, 22.0),
        ("Split Ratio", "4:1", "", 4.0),
        ("Split", "3-for-2", "-", 1.5),
        ("splits", "1/10", "0", 0.1),
        ("Stock Split", "1:10 split", None, 0.1),
        ("STOCK_SPLITS", "2,0", "0,0", 2.0),
        ("Split Ratio", "2/1", "1/1", 2.0),
        ("AdjustmentFactor", 0.2, 1.0, 5.0),
    ],
)
@pytest.mark.parametrize("as_file", [True, False])
def test_a_split_is_read_however_it_is_written(tmp_path, name, written, none, ratio, as_file):
    whole = table()
    frame = split(whole, ratio, name=name, written=written, none=none)
    if as_file:
        frame.to_csv(tmp_path / "X.csv", index=False)
        source = FileSource(str(tmp_path / "X.csv"))
        (bars,) = source.load()
        lines = source.read_as["X"]
    else:
        found = read_frame(frame, "X")
        (bars,), lines = found.bars, found.lines
    assert bars.split_rows == [ROW] and bars.ratio_at(ROW) == pytest.approx(ratio)
    assert f"splits: 1 in {name!r}" in lines and not any("ignored" in line or "not read" in line for line in lines)
    for setting in ("quarantine", "rebase"):
        mended = mend(bars, setting)
        assert_rebased(mended.bars, whole, ratio)
        assert "split of the source not applied" in mended.summary() and mended.kept == ()
    for setting in ("keep", "refuse"):
        kept = mend(bars, setting)
        assert len(kept.kept) == 1 and kept.bars.splits is None
        np.testing.assert_array_equal(kept.bars.close, bars.close)


@pytest.mark.parametrize("ratio", [1.1, 1.25, 1.5, 2.0, 3.0, 20.0, 0.1])
@pytest.mark.parametrize("seed", range(5))
def test_prices_decide_whether_a_split_is_applied(ratio, seed):
    whole = table(seed=seed)
    assert_rebased(mend(bars_of(split(whole, ratio)), "quarantine").bars, whole, ratio)
    applied = mend(bars_of(split(whole, ratio, applied=True)), "quarantine")
    assert applied.steps == ()
    assert_rebased(applied.bars, whole, 1.0)


def test_news_on_the_day_of_a_split_changes_nothing_about_it():
    for move in (-0.2, 0.15):
        whole = table()
        whole.loc[ROW:, PRICES] *= np.exp(move)
        assert_rebased(mend(bars_of(split(whole, 2.0)), "quarantine").bars, whole, 2.0)
        assert mend(bars_of(split(whole, 2.0, applied=True)), "quarantine").steps == ()


@pytest.mark.parametrize("named", [10.0, 2.0, 0.25])
@pytest.mark.parametrize("setting", ["quarantine", "rebase"])
def test_a_column_that_contradicts_the_prices_is_reported_and_not_applied(tmp_path, named, setting):
    split(table(), 4.0, written=named).to_csv(tmp_path / "X.csv", index=False)
    source = MendedSource(FileSource(str(tmp_path)), setting)
    (bars,) = source.load()
    assert bars.close[ROW] / bars.close[ROW - 1] == pytest.approx(0.25, rel=0.05)
    assert "the source names a " in source.problem("X", 0) and "may stay unexplained" in source.problem("X", 0)


def test_a_split_of_the_newest_bar_and_of_a_short_series_is_applied():
    whole = table()
    raw = split(whole, 4.0)
    assert_rebased(mend(bars_of(raw.iloc[: ROW + 1]), "quarantine").bars, whole.iloc[: ROW + 1], 4.0 / 1)
    few = slice(ROW - 3, ROW + 2)
    assert_rebased(mend(bars_of(raw.iloc[few]), "quarantine").bars, whole.iloc[few], 4.0)
    assert find_steps(bars_of(raw.iloc[ROW:])) == (), "there is no bar before to adjust"


def test_the_date_of_a_split_may_be_off_by_some_bars():
    whole = table()
    raw = split(whole, 4.0)
    for late in (-2, 1, 3):
        raw["Stock Splits"] = np.where(np.arange(len(raw)) == ROW + late, 4.0, 0.0)
        assert_rebased(mend(bars_of(raw), "quarantine").bars, whole, 4.0)


def test_a_split_of_a_row_that_is_left_out_is_of_the_next_bar():
    raw = split(table(), 4.0)
    raw.loc[ROW, PRICES] = np.nan
    raw = pd.concat([raw, raw.iloc[[ROW]]])
    bars = bars_of(raw)
    assert bars.split_rows == [ROW] and bars.ratio_at(ROW) == 4.0 and len(bars) == 299


def test_the_hours_of_a_day_have_one_split_and_a_column_of_other_things_has_none():
    raw = split(table(), 4.0, applied=True)
    raw.loc[ROW : ROW + 6, "Stock Splits"] = 4.0
    assert bars_of(raw).split_rows == [ROW]
    found = read_frame(table().assign(split=["train"] * 200 + ["test"] * 100), "X")
    assert (
        found.bars[0].splits is None
        and "splits: column 'split' has no ratios (first: 'train'), not used" in found.lines
    )
    cumulative = table().assign(adj_factor=np.where(np.arange(300) < ROW, 0.5, 1.0))
    bars = bars_of(cumulative)
    assert bars.splits is None
    np.testing.assert_allclose(bars.volume[:ROW], cumulative["Volume"][:ROW] / 0.5)


def test_splits_are_sliced_joined_and_part_of_the_fingerprint():
    bars, plain = bars_of(split(table(), 4.0)), bars_of(split(table(), 4.0).drop(columns="Stock Splits"))
    assert fingerprint(bars) != fingerprint(plain) == fingerprint(dataclasses.replace(bars, splits=None))
    assert fingerprint(dataclasses.replace(plain, splits=np.ones(300))) == fingerprint(plain)
    assert bars.last(101).split_rows == [1] and bars.first(ROW).split_rows == []
    assert between(bars, date(2021, 10, 1), None).split_rows == [ROW - 195 + 1]
    for first, second in ((bars, plain), (plain, bars), (bars.first(250), bars.last(150)), (plain.first(150), bars)):
        assert fingerprint(joined(first, second)) == fingerprint(bars)


def test_a_split_at_the_seam_of_two_imports_is_applied_by_its_name(tmp_path):
    whole = table()
    raw, lake = split(whole, 4.0), Lake(Store(tmp_path))
    lake.append(bars_of(raw.iloc[:ROW]))
    appended = lake.append(bars_of(raw.iloc[ROW : ROW + 4]))
    assert appended.seam[0].explained and "4:1 split of the source" in appended.seam[0].cause
    (bars,) = MendedSource(LakeSource(lake), "quarantine").load()
    assert_rebased(bars, whole.iloc[: ROW + 4], 4.0)
    merged, _ = merge(lake.read("X"), bars_of(raw.iloc[ROW - 20 :]))
    assert merged.split_rows == [ROW]


def test_files_the_lake_yahoo_and_frames_give_the_same_mended_bars(tmp_path):
    whole, raw = table(), split(table(), 4.0)
    for folder, one in (("csv", raw), ("parquet", raw), ("two", raw.iloc[:ROW])):
        (tmp_path / folder).mkdir()
        one.to_parquet(tmp_path / folder / "X.parquet") if folder == "parquet" else one.to_csv(
            tmp_path / folder / "X.csv", index=False
        )
    (tmp_path / "two" / "more").mkdir()
    raw.iloc[ROW - 5 :].assign(Ticker="X").to_csv(tmp_path / "two" / "Y.csv", index=False)
    lake = Lake(Store(tmp_path / "store"))
    (bars,) = FileSource(str(tmp_path / "csv")).load()
    lake.append(bars)
    assert fingerprint(lake.read("X")) == fingerprint(bars) and lake.append(bars).revised == 0
    answer = raw.set_index("Date").assign(**{"Adj Close": raw["Close"].to_numpy(), "Dividends": 0.0})
    sources = [FileSource(str(tmp_path / folder)) for folder in ("csv", "parquet", "two")]
    for source in (*sources, LakeSource(lake), YahooSource(lambda symbol, start, end: answer)):
        (mended,) = MendedSource(source, "quarantine").load(["X"])
        assert_rebased(mended, whole, 4.0)
    wide = pd.concat({"X": raw.set_index("Date"), "Y": whole.set_index("Date").iloc[5:]}, axis=1)
    (x, y), _ = bars_from_frame(wide)
    assert_rebased(adjusted_for_splits(x), whole, 4.0)
    assert y.splits is None and len(y) == 295
    frame = load_bars(str(tmp_path / "csv"))
    assert frame["split"][ROW] == 4.0 and fingerprint(bars_of(frame, "X")) == fingerprint(bars)


def test_a_lake_without_splits_has_no_column_for_them(tmp_path):
    lake = Lake(Store(tmp_path))
    lake.append(bars_of(table()))
    assert "split" not in pd.read_parquet(tmp_path / "lake/bars/X.parquet").columns and lake.read("X").splits is None


@pytest.mark.parametrize("others", [0, 1])
def test_two_files_of_one_symbol_and_two_periods_are_refused(tmp_path, others):
    for folder, frame in (("daily", table()), ("weekly", table().iloc[::5])):
        (tmp_path / folder).mkdir()
        frame.to_csv(tmp_path / folder / "QQQ.csv", index=False)
    problem = r"files of 'QQQ' are of two periods: daily ones \(300 .*\) and weekly ones \(60 .*QQQ_weekly"
    if not others:
        with pytest.raises(DataError, match=problem):
            list(FileSource(str(tmp_path)).load())
        return
    table().to_csv(tmp_path / "daily" / "SPY.csv", index=False)
    source = FileSource(str(tmp_path))
    assert [bars.symbol for bars in source.load()] == ["SPY"]
    assert pd.Series(source.missing).str.contains(problem).to_dict() == {"QQQ": True}
