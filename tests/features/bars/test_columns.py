"""Column names and layouts of common vendors give one long table."""

import numpy as np
import pandas as pd
import pytest

from configs.errors import DataError
from features.bars.columns import long_table
from features.bars.reading.names import compact, field_of
from features.bars.reading.wide import two_level_columns
from features.bars.schema import bars_from_frame

VALUES = {
    "open": [10.0, 11.0],
    "high": [12.0, 12.5],
    "low": [9.0, 10.0],
    "close": [11.0, 12.0],
    "volume": [100.0, 200.0],
}
DAYS = ["2024-01-02", "2024-01-03"]
SPELLINGS = {
    "ours": ["date", "open", "high", "low", "close", "volume"],
    "yfinance": ["Date", "Open", "High", "Low", "Close", "Volume"],
    "stooq": ["<DATE>", "<OPEN>", "<HIGH>", "<LOW>", "<CLOSE>", "<VOL>"],
    "stooq.pl": ["Data", "Otwarcie", "Najwyzszy", "Najnizszy", "Zamkniecie", "Wolumen"],
    "alpha vantage": ["timestamp", "1. open", "2. high", "3. low", "4. close", "5. volume"],
    "exchange api": ["open_time", "o", "h", "l", "c", "v"],
    "nasdaq.com": ["Date", "Open", "High", "Low", "Close/Last", "Volume"],
    "upper case": ["DATETIME", " OPEN ", "HIGH", "LOW", "CLOSE", "VOL."],
}


@pytest.mark.parametrize("names", SPELLINGS.values(), ids=SPELLINGS)
def test_every_vendors_column_names_give_the_same_bars(names):
    frame = pd.DataFrame(dict(zip(names, [DAYS, *VALUES.values()], strict=True)))
    (bars,), quarantine = bars_from_frame(frame, "X")
    assert len(quarantine) == 0
    for field, values in VALUES.items():
        assert getattr(bars, field).tolist() == values


def yahoo_frame(tickers=("AAPL", "MSFT")) -> pd.DataFrame:
    index = pd.DatetimeIndex(DAYS, name="Date")
    one = pd.DataFrame({k.title(): v for k, v in VALUES.items()}, index=index)
    return pd.concat({name: one for name in tickers}, axis=1, names=["Ticker", "Price"])


@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("reset", [False, True])
def test_two_level_columns_in_either_order(swap, reset):
    frame = yahoo_frame()
    frame = frame.swaplevel(axis=1).sort_index(axis=1) if swap else frame
    frame = frame.reset_index(col_level=1 if not swap else 0) if reset else frame
    bars, quarantine = bars_from_frame(frame)
    assert [b.symbol for b in bars] == ["AAPL", "MSFT"] and len(quarantine) == 0
    assert bars[1].high.tolist() == VALUES["high"]


def test_padding_of_a_wide_frame_is_dropped():
    frame = yahoo_frame()
    frame.loc[pd.Timestamp("2024-01-03"), "MSFT"] = np.nan
    frame.loc[pd.Timestamp("2024-01-02"), ("AAPL", "Open")] = np.nan
    bars, quarantine = bars_from_frame(frame)
    assert [len(b) for b in bars] == [1, 1]
    assert quarantine.counts() == {"missing_price": 1}


def test_a_given_symbol_replaces_the_only_ticker():
    frame = yahoo_frame(("AAPL",))
    assert bars_from_frame(frame)[0][0].symbol == "AAPL"
    assert bars_from_frame(frame, "APPLE")[0][0].symbol == "APPLE"


def test_tickers_with_names_of_fields_are_tickers():
    frame = yahoo_frame(("C", "H", "L", "O", "V")).drop(columns="Volume", level="Price")
    assert [b.symbol for b in bars_from_frame(frame)[0]] == ["C", "H", "L", "O", "V"]


def test_two_level_columns_without_fields_are_an_error():
    frame = pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "b"), ("c", "d")]))
    with pytest.raises(DataError, match="column levels"):
        long_table(frame)


def test_dates_and_symbols_may_be_the_index():
    frame = pd.DataFrame({"date": DAYS * 2, "symbol": ["A", "A", "B", "B"], "close": [1.0, 2, 3, 4]})
    bars, _ = bars_from_frame(frame.set_index(["symbol", "date"]))
    assert [b.close.tolist() for b in bars] == [[1, 2], [3, 4]]
    bars, _ = bars_from_frame(frame.set_index("symbol"))
    assert [b.symbol for b in bars] == ["A", "B"]


def test_categorical_and_text_symbols_are_equal_and_sorted():
    text = pd.DataFrame({"date": DAYS[:1] * 3, "symbol": ["b", "A ", "^C"], "close": [1.0, 2.0, 3.0]})
    for frame in (text, text.astype({"symbol": "category"})):
        bars, _ = bars_from_frame(frame)
        assert [(b.symbol, *b.close) for b in bars] == [("A", 2.0), ("^C", 3.0), ("b", 1.0)]


def test_adjusted_close_alone_is_a_close():
    frame = pd.DataFrame({"date": DAYS, "5. adjusted close": [1.0, 2.0]})
    (bars,), _ = bars_from_frame(frame, default_symbol="X")
    assert bars.symbol == "X" and bars.close.tolist() == [1.0, 2.0] and not bars.has_range


def test_the_preferred_name_of_a_field_wins():
    frame = pd.DataFrame(
        {"date": DAYS, "price": [5.0, 5.0], "close": [1.0, 2.0], "name": ["Apple", "Apple"], "symbol": "A"}
    )
    (bars,), _ = bars_from_frame(frame)
    assert bars.symbol == "A" and bars.close.tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("name", "plain", "field"),
    [
        ("5. adjusted close", "adjustedclose", "adj_close"),
        ("Adj Close", "adjclose", "adj_close"),
        ("Adj. Close", "adjclose", "adj_close"),
        ("<VOL>", "vol", "volume"),
        ("7. dividend amount", "dividendamount", None),
        (("Open", "A"), "opena", None),
        (None, "none", None),
    ],
)
def test_names(name, plain, field):
    assert compact(str(name)) == plain and field_of(name) == field


@pytest.mark.parametrize("nested", ["-" * 50_000 + "1", "(" * 50_000, "1+" * 30_000 + "1"])
def test_a_deeply_nested_column_name_is_a_name(nested):
    frame = pd.DataFrame({"('close', 'AAPL')": [1.0], (name := f"('x', {nested})"): [2.0]})
    assert two_level_columns(frame).columns.tolist() == [("close", "AAPL"), (name, "")]
