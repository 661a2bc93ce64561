"""More of what exporters write: JSON of services, day numbers, rarer dates, languages, closes of odd weeks."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from price_files import NAMES, csv, loaded, stamps, utc

from configs.errors import DataError
from features.bars.schema import bars_from_frame

COUNT = 120


def bars(first="2022-01-03", base=12.0, freq="B", count=COUNT, decimals=2) -> pd.DataFrame:
    """Return valid bars, indexed by session."""
    random = np.random.default_rng(int(base))
    close = np.round(base * np.exp(np.cumsum(random.normal(0, 0.01, count))), decimals)
    opened = np.round(close * np.exp(random.normal(0, 0.004, count)), decimals)
    high, low = (
        np.round(np.maximum(opened, close) * 1.01, decimals),
        np.round(np.minimum(opened, close) * 0.99, decimals),
    )
    volume = random.integers(10**6, 10**8, count).astype(float)
    index = pd.date_range(first, periods=count, freq=freq, name="Date")
    return pd.DataFrame(dict(zip(NAMES, (opened, high, low, close, volume), strict=True)), index=index)


def records(frame, date="date"):
    return [{date: f"{d:%Y-%m-%d}", **dict(zip(NAMES, map(float, r), strict=True))} for d, r in frame.iterrows()]


def assert_equal(found, frame):
    np.testing.assert_array_equal(found.dates, frame.index.to_numpy().astype("datetime64[ns]"))
    for name in frame.columns:
        np.testing.assert_allclose(getattr(found, name.lower()), frame[name], rtol=1e-9, err_msg=name)


B, OTHER = bars(), bars(base=40.0)
COIN = bars("2021-01-01", 30_000, "D")
MIDDAY = bars("2022-01-02", 30.0, pd.offsets.CustomBusinessDay(weekmask="Sun Mon Tue Wed Thu"))
MONTH_ENDS = bars("1985-01-31", 100.0, "ME")
SATURDAYS = bars("2010-01-02", 100.0, "W-SAT")
YEAR_1970 = bars("1970-02-02", 100.0)


def days_since(frame, zero):
    return (frame.index - pd.Timestamp(zero)).days


def months(frame, names):
    return [f"{d.day}. {names.split()[d.month - 1]} {d.year}" for d in frame.index]


PATTERNS = {
    "weekday and digits": "%a %m/%d/%Y",
    "C's": "%a %b %d 00:00:00 %Y",
    "Korean": "%Y년 %m월 %d일",
    "underscores": "%Y_%m_%d",
    "spaces": "%d %m %Y",
    "kdb+": "%Y.%m.%dD00:00:00.000000000",
    "quoted": "'%Y-%m-%d",
    "with hours in words": "%d.%m.%Y 17:35 Uhr",
    "dashes": "%Y-%m-%d-00-00-00",
}
DATES = {name: (B, [d.strftime(pattern) for d in B.index]) for name, pattern in PATTERNS.items()} | {
    "Romanian": (B, months(B, "ian feb mar apr mai iun iul aug sep oct noi dec")),
    "Hungarian": (B, months(B, "jan febr márc ápr máj jún júl aug szept okt nov dec")),
    "Czech": (B, months(B, "led úno bře dub kvě čvn čvc srp zář říj lis pro".replace("čvn", "červen"))),
    "Ukrainian": (B, months(B, "січ лют бер кві тра чер лип сер вер жов лис гру")),
    "Greek": (B, months(B, "Ιαν Φεβ Μαρ Απρ Μαϊ Ιουν Ιουλ Αυγ Σεπ Οκτ Νοε Δεκ")),
    "Excel": (B, days_since(B, "1899-12-30")),
    "Excel of 1904": (B, days_since(B, "1904-01-01")),
    "R": (B, days_since(B, "1970-01-01")),
    "SAS": (B, days_since(B, "1960-01-01")),
    "R, around the clock": (COIN, days_since(COIN, "1970-01-01")),
    "Excel, around the clock": (COIN, days_since(COIN, "1899-12-30")),
    "Excel, from Sunday to Thursday": (MIDDAY, days_since(MIDDAY, "1899-12-30")),
    "Excel, old month ends": (MONTH_ENDS, days_since(MONTH_ENDS, "1899-12-30")),
    "Excel, weeks": (SATURDAYS, days_since(SATURDAYS, "1899-12-30")),
    "year and day": (B, B.index.strftime("%Y%j")),
    "seconds of 1970": (YEAR_1970, stamps(YEAR_1970)),
    "ticks": (B, days_since(B, "0001-01-01").astype("int64") * 864_000_000_000),
    "New Zealand's midnight": (bars(count=260), utc(bars(count=260), "Pacific/Auckland")),
    "a close at 12:30 UTC": (MIDDAY, utc(MIDDAY, "UTC", "12h30min")),
    "a close at 15:25 UTC": (MIDDAY, utc(MIDDAY, "UTC", "15h25min")),
}


@pytest.mark.parametrize("case", DATES)
def test_dates_in_rarer_notations(tmp_path, case):
    frame, dates = DATES[case]
    (tmp_path / "X.csv").write_text(csv(frame, dates))
    ((found,), _) = loaded(tmp_path / "X.csv")
    assert_equal(found, frame)
    (found,), _ = bars_from_frame(frame.set_axis(pd.Index(dates, name="Date")).reset_index(), "X")
    assert_equal(found, frame)


def test_noon_utc_from_sunday_to_thursday_is_a_close_or_a_midnight(tmp_path):
    (tmp_path / "X.csv").write_text(csv(MIDDAY, utc(MIDDAY, "UTC", "12h")))
    with pytest.raises(DataError, match="Say where the day begins: --timezone UTC"):
        loaded(tmp_path / "X.csv")


HEADS = {
    "German turnover": ("Datum", ["Eröffnung", "Tageshoch", "Tagestief", "Schluss", "Umsatz Stück"]),
    "Finnish": ("Päivämäärä", ["Avaus", "Ylin", "Alin", "Viimeisin", "Vol."]),
    "Indonesian": ("Tanggal", ["Pembukaan", "Tertinggi", "Terendah", "Terakhir", "Vol."]),
    "Vietnamese": ("Ngày", ["Mở", "Cao", "Thấp", "Lần cuối", "KL"]),
    "Hebrew": ("תאריך", ["פתיחה", "גבוה", "נמוך", "שער", "נפח"]),
    "Greek": ("Ημερομηνία", ["Άνοιγμα", "Υψηλό", "Χαμηλό", "Τελευταία", "Όγκος"]),
    "Refinitiv": ("Exchange Date", ["Trade Open", "Trade High", "Trade Low", "Trade Close", "Trade Volume"]),
    "zoo": ("Index", [f"X.{name}" for name in NAMES]),
    "coin before currency": ("date", ["open", "high", "low", "close", "Volume BTC"]),
    "settlement": ("Date", ["Open", "High", "Low", "Settle", "Volume"]),
}


@pytest.mark.parametrize("case", HEADS)
def test_headers_of_languages_and_vendors(tmp_path, case):
    date, names = HEADS[case]
    others = {} if case == "zoo" else {"Volume USD": 1.0, "Adj Close": ""}
    others |= {"Last": 1.0} if case == "settlement" else {}
    (tmp_path / "X.csv").write_text(csv(B, None, names, index_name=date, **others))
    ((found,), _) = loaded(tmp_path / "X.csv")
    assert found.symbol == "X"
    assert_equal(found, B)


TWO = {"AAPL": B, "MSFT": OTHER}
CLOCK = {"unit": 1, "zone": "America/New_York", "clock": "9h30min"}
SERVICES = {
    "records by symbol": {name: records(frame) for name, frame in TWO.items()},
    "records of objects": [{"symbol": name, "historical": records(frame)} for name, frame in TWO.items()],
    "records below a meta": {n: {"meta": {"symbol": n}, "values": records(f), "status": "ok"} for n, f in TWO.items()},
    "frames by symbol": {name: json.loads(f.to_json(orient="split", date_format="iso")) for name, f in TWO.items()},
    "dates above prices": {
        "result": [
            {
                "meta": {"symbol": name},
                "timestamp": stamps(f, **CLOCK),
                "indicators": {"quote": [f.to_dict("list")]},
            }
            for name, f in TWO.items()
        ]
    },
    "rows by symbol": {
        "error": [],
        "result": {n: [[t, *r] for t, r in zip(stamps(f), f.to_numpy().tolist(), strict=True)] for n, f in TWO.items()},
    },
    "ticker T and time t": {
        "results": [
            {"T": n, "t": t, **dict(zip("ohlcv", r, strict=True))}
            for n, f in TWO.items()
            for t, r in zip(stamps(f, unit=1000), f.to_numpy().tolist(), strict=True)
        ]
    },
}


@pytest.mark.parametrize("case", SERVICES)
def test_json_of_several_symbols_gives_all(tmp_path, case):
    (tmp_path / "prices.json").write_text(json.dumps(SERVICES[case]))
    found, _ = loaded(tmp_path / "prices.json")
    assert [one.symbol for one in found] == list(TWO)
    for one in found:
        assert_equal(one, TWO[one.symbol])


def test_json_of_nested_candles_pairs_and_other_dates(tmp_path):
    mids = [
        {"time": f"{d:%Y-%m-%d}", "volume": r.iloc[4], "mid": dict(zip("ohlc", map(str, r), strict=False))}
        for d, r in B.iterrows()
    ]
    pairs = {"prices": list(zip(stamps(B, unit=1000), B["Close"], strict=True))}
    pairs["market_caps"] = [(t, 1e9 * c) for t, c in pairs["prices"]]
    dotnet = [row | {"date": f"/Date({t})/"} for row, t in zip(records(B), stamps(B, unit=1000), strict=True)]
    for content, frame in ((mids, B), (pairs, B[["Close"]]), (dotnet, B)):
        (tmp_path / "X.json").write_text(json.dumps(content))
        ((found,), _) = loaded(tmp_path / "X.json")
        assert found.symbol == "X"
        assert_equal(found, frame)


REFUSED = {
    "tables without symbols": ("X.json", json.dumps([{"bars": records(f)} for f in TWO.values()]), "without symbols"),
    "volume before prices": (
        "X.csv",
        csv(B[["Volume", "Close", "High", "Low", "Open"]], stamps(B)).split("\n", 1)[1],
        "no header line",
    ),
    "returns": ("X.csv", csv(pd.DataFrame({n: f["Close"].pct_change() for n, f in TWO.items()})), "returns rather"),
    "a month that is not known": (
        "X.csv",
        csv(B, months(B, "jan feb xxx apr mei jun jul aug sep okt nov dec")),
        "dates",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_would_be_read_wrong_is_refused(tmp_path, case):
    name, content, words = REFUSED[case]
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=words):
        loaded(tmp_path / name)


def test_frames_of_arrow_and_indexes_of_epochs_are_read():
    zoned = pd.array(B.index.tz_localize("Asia/Tokyo"), dtype=pd.ArrowDtype(pa.timestamp("us", tz="Asia/Tokyo")))
    for index in (pd.Index(zoned, name="Date"), pd.Index(stamps(B), name="time")):
        (found,), _ = bars_from_frame(B.set_axis(index), "X")
        assert_equal(found, B)
