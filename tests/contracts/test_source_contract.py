"""Every source of the catalog yields valid bars and reports what is missing."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from features.bars.merge import fingerprint
from features.bars.schema import bars_from_frame
from features.sources import catalog, open_source
from features.sources.base import Source
from features.sources.embedded import EmbeddedSource
from features.sources.yahoo import UnknownSymbolError, YahooSource
from features.store.lake import Lake
from features.store.store import Store

NAMES = ("AAPL", "IBM")
START, END = date(2012, 3, 5), date(2012, 12, 31)


def frames() -> dict[str, pd.DataFrame]:
    found = {}
    for bars in EmbeddedSource().load(NAMES):
        values = {name: getattr(bars, name) for name in ("open", "high", "low", "close", "volume")}
        found[bars.symbol] = pd.DataFrame({"date": bars.dates, **values})
    return found


def fetch(symbol: str, start: date | None, end: date) -> pd.DataFrame:
    """Return the frame that Yahoo would, ``end`` excluded."""
    if symbol not in NAMES:
        raise UnknownSymbolError(f"no bars for {symbol}")
    frame = frames()[symbol].set_index("date")
    low = frame.index[0] if start is None else pd.Timestamp(start)
    return frame[(frame.index >= low) & (frame.index < pd.Timestamp(end))]


@pytest.fixture(params=["embedded", "files", "lake", "yahoo"])
def source(request, tmp_path) -> Source:
    store = Store(tmp_path / "store")
    if request.param == "yahoo":
        return YahooSource(fetch)
    if request.param == "files":
        (tmp_path / "bars").mkdir()
        for symbol, frame in frames().items():
            frame.to_parquet(tmp_path / "bars" / f"{symbol}.parquet")
        return open_source(str(tmp_path / "bars"), store)
    for bars in EmbeddedSource().load(NAMES):
        Lake(store).append(bars)
    return open_source(request.param, store)


def test_every_source_of_the_catalog_is_tested(request):
    assert set(catalog()) == {"embedded", "files", "lake", "yahoo"}


def test_bars_are_valid_and_within_the_period(source):
    for bars in source.load(NAMES, START, END):
        days = bars.dates.astype("datetime64[D]")
        assert days[0] >= np.datetime64(START) and days[-1] <= np.datetime64(END)
        assert days[0] == np.datetime64("2012-03-05") and days[-1] == np.datetime64("2012-12-31")
        assert (np.diff(bars.dates) > np.timedelta64(0)).all()
        assert (bars.low > 0).all() and (bars.volume >= 0).all()
        assert (bars.low <= np.minimum(bars.open, bars.close)).all()
        assert (bars.high >= np.maximum(bars.open, bars.close)).all()


def test_each_symbol_is_yielded_once_and_missing_ones_are_reported(source):
    symbols = [bars.symbol for bars in source.load(["IBM", "NOSUCH", "AAPL", "IBM"], START, END)]
    assert sorted(symbols) == ["AAPL", "IBM"]
    assert list(source.missing) == ["NOSUCH"] and source.missing["NOSUCH"]


def test_loading_again_gives_the_same_bars_and_resets_the_report(source):
    first = {bars.symbol: fingerprint(bars) for bars in source.load([*NAMES, "NOSUCH"], START, END)}
    second = {bars.symbol: fingerprint(bars) for bars in source.load(NAMES, START, END)}
    assert first == second and source.missing == {} and len(source.quarantine) == 0


def test_a_period_without_bars_is_reported(source):
    assert list(source.load(["IBM"], date(1950, 1, 1), date(1950, 12, 31))) == []
    assert list(source.missing) == ["IBM"]


def test_loading_does_not_change_the_stamp(source):
    before = source.stamp()
    list(source.load(NAMES, START, END))
    assert source.stamp() == before


@pytest.mark.parametrize("name", ["files", "lake"])
def test_the_stamp_changes_with_the_bars(name, tmp_path):
    store, folder = Store(tmp_path / "store"), tmp_path / "bars"
    folder.mkdir()
    frame = frames()["IBM"]
    short = frame.head(600)

    def put(rows):
        if name == "files":
            rows.to_parquet(folder / "IBM.parquet")
        else:
            Lake(store).append(bars_from_frame(rows, "IBM")[0][0])

    put(short)
    source = open_source(str(folder) if name == "files" else "lake", store)
    stamps = [source.stamp()]
    put(frame)
    stamps.append(source.stamp())
    (bars,) = EmbeddedSource().load(["MSFT"])
    if name == "files":
        frame.to_parquet(folder / "MSFT.parquet")
    else:
        Lake(store).append(bars)
    stamps.append(source.stamp())
    assert len(set(stamps)) == 3
