"""Dates, times and numbers in the notations that vendors use."""

import datetime as dt
import io

import numpy as np
import pandas as pd
import pytest

from configs.errors import DataError
from features.bars.quarantine import Quarantine
from features.bars.reading.session_dates import parse_dates
from features.bars.schema import SymbolBars, bars_from_frame


def only(frame: pd.DataFrame, symbol: str | None = "X") -> tuple[SymbolBars, Quarantine]:
    (bars,), quarantine = bars_from_frame(frame, symbol)
    return bars, quarantine


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        (["2024-01-02", "2024-01-03"], ["2024-01-02", "2024-01-03"]),
        ([dt.date(2024, 1, 2), dt.datetime(2024, 1, 3)], ["2024-01-02", "2024-01-03"]),
        (["1/2/2024", "1/31/2024"], ["2024-01-02", "2024-01-31"]),
        (["2.1.24", "31.1.24"], ["2024-01-02", "2024-01-31"]),
        (["Jan 2, 2024", "3-Jan-2024"], ["2024-01-02", "2024-01-03"]),
        ([20240102, 20240103], ["2024-01-02", "2024-01-03"]),
        (["20240102", "20240103"], ["2024-01-02", "2024-01-03"]),
        ([45293, 45294], ["2024-01-02", "2024-01-03"]),
        ([1704153600, 1704240000], ["2024-01-02", "2024-01-03"]),
        ([1704205800000, 1704205860000], ["2024-01-02T14:30", "2024-01-02T14:31"]),
        (["2024-01-02 00:00-05:00", "2024-07-02 00:00-04:00"], ["2024-01-02", "2024-07-02"]),
        (["2024-01-02 09:30-05:00", "2024-07-02 09:30-04:00"], ["2024-01-02T14:30", "2024-07-02T13:30"]),
        (["2024-01-02T09:30:00Z", "2024-01-02T09:31:00Z"], ["2024-01-02T09:30", "2024-01-02T09:31"]),
        (pd.date_range("2024-01-02", periods=2, tz="Asia/Tokyo"), ["2024-01-02", "2024-01-03"]),
        (pd.period_range("2024-01-02", periods=2, freq="D"), ["2024-01-02", "2024-01-03"]),
    ],
)
def test_dates_in_every_common_notation(dates, expected):
    bars, quarantine = only(pd.DataFrame({"date": dates, "close": [1.0, 2.0]}))
    assert len(quarantine) == 0
    np.testing.assert_array_equal(bars.dates, np.array(expected, "datetime64[ns]"))


def test_dates_outside_the_range_of_nanoseconds_are_quarantined():
    bars, quarantine = only(pd.DataFrame({"date": ["1500-01-01", "2024-01-02"], "close": [1.0, 2.0]}))
    assert len(bars) == 1 and quarantine.counts() == {"unparsable_date": 1}


def test_numbers_as_text():
    text = pd.DataFrame({"date": ["2024-01-02", "2024-01-03", "2024-01-04"], "close": ["1,234.5", "$12", " 7 "]})
    text["volume"] = ["1.5M", "-", "3"]
    bars, quarantine = only(text)
    assert bars.close.tolist() == [1234.5, 12.0, 7.0] and bars.volume.tolist() == [1.5e6, 0.0, 3.0]
    assert quarantine.counts() == {"missing_volume": 1}


def test_stooq_archive_text():
    text = (
        "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>\n"
        "AAPL.US,5,20240102,153000,10,11,9,10.5,100,0\nAAPL.US,5,20240102,153500,10,11,9,10,100,0\n"
    )
    bars, _ = only(pd.read_csv(io.StringIO(text)), None)
    assert bars.symbol == "AAPL.US"
    np.testing.assert_array_equal(bars.dates, np.array(["2024-01-02T15:30", "2024-01-02T15:35"], "datetime64[ns]"))


@pytest.mark.parametrize("pattern", ["%y%m%d", "%d%m%y", "%m%d%y", "%Y%m", "excel", "matlab"])
@pytest.mark.parametrize("first", ["1987-01-02", "1999-12-20", "2001-01-02", "2005-03-01", "2022-01-03"])
def test_the_order_of_six_digits_follows_from_the_series(pattern, first):
    days = pd.date_range(first, periods=60, freq="MS" if pattern == "%Y%m" else "B")
    if pattern in ("excel", "matlab"):
        numbers = pd.Series((days - pd.Timestamp(0)).days + {"excel": 25_569, "matlab": 719_529}[pattern])
    else:
        numbers = pd.Series(days.strftime(pattern)).astype(int)
    spelled = [numbers] if pattern in ("excel", "matlab") else [numbers, pd.Series(days.strftime(pattern))]
    for values in (*spelled, numbers.sample(frac=1, random_state=1)):
        found = np.sort(parse_dates(values))
        np.testing.assert_array_equal(found, days.to_numpy().astype("datetime64[ns]"))


def test_six_digits_that_fit_months_and_days_are_refused():
    with pytest.raises(DataError, match=r"may be .* or .*--date-format"):
        parse_dates(pd.Series(["200106", "200107", "200108"]))
