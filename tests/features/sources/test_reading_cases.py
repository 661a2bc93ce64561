"""Files as vendors and people write them, each with the bars that it stands for. Prices are synthetic."""

import gzip
import io
import json
import zipfile

import numpy as np
import pandas as pd
import pytest

from configs.errors import DataError
from configs.reading import ReadingConfig
from features.bars.schema import bars_from_frame
from features.sources.files import FileSource

COUNT = 260
NAMES = ["Open", "High", "Low", "Close", "Volume"]


def bars(first="2022-01-03", base=150.0, freq="B", count=COUNT, decimals=4) -> pd.DataFrame:
    """Return valid bars with the columns Open, High, Low, Close and Volume, indexed by session."""
    random = np.random.default_rng(int(base))
    close = np.round(base * np.exp(np.cumsum(random.normal(0, 0.01, count))), decimals)
    opened = np.round(close * np.exp(random.normal(0, 0.004, count)), decimals)
    high = np.round(np.maximum(opened, close) * 1.003, decimals)
    low = np.round(np.minimum(opened, close) * 0.997, decimals)
    volume = random.integers(10**6, 10**8, count).astype(float)
    index = pd.date_range(first, periods=count, freq=freq, name="Date")
    values = (opened, np.maximum(high, np.maximum(opened, close)), np.minimum(low, np.minimum(opened, close)), close)
    return pd.DataFrame(dict(zip(NAMES, (*values, volume), strict=True)), index=index)


def csv(frame: pd.DataFrame, dates=None, names=None, sep=",", index_name="Date", **others) -> str:
    """Return bars as text, with these dates, names and other columns."""
    frame = frame.set_axis(names, axis=1) if names else frame
    frame = frame.assign(**others)
    index = frame.index.strftime("%Y-%m-%d") if dates is None else pd.Index(dates)
    return frame.set_axis(index, axis=0).to_csv(sep=sep, index_label=index_name)


def local(frame, zone, clock="0h"):
    return (frame.index + pd.Timedelta(clock)).tz_localize(zone)


def stamps(frame, zone, clock="0h", unit=1):
    return [int(stamp.timestamp()) * unit for stamp in local(frame, zone, clock)]


def utc(frame, zone, clock="0h"):
    return local(frame, zone, clock).tz_convert("UTC").strftime("%Y-%m-%d %H:%M:%S+00:00")


def comma(frame, decimals):
    text = frame.copy().astype(object)
    for name in NAMES[:4]:
        text[name] = [f"{value:.{decimals}f}".replace(".", ",") for value in frame[name]]
    return text.assign(Volume=[f"{value:.0f}" for value in frame["Volume"]])


def loaded(path, **reading):
    source = FileSource(str(path), reading=ReadingConfig(**reading))
    return list(source.load()), source


def zipped(name, text):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, text)
    return buffer.getvalue()


B = bars()
FX = bars(base=1.2, decimals=5)
COIN = bars("2021-01-01", 30_000, "D", decimals=2)
ROUND = bars(base=12.0, decimals=2)
THREE = bars(base=13.0, decimals=3)
SMALL = (THREE / 100).assign(Volume=THREE["Volume"])
CODES = {"code": "600519", "name": "贵州茅台"}
FRENCH = "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.".split()
KLINE = "open_time,open,high,low,close,volume,close_time,quote_volume,count,a,b,ignore".split(",")


def kline(frame, unit):
    """Return Binance's twelve columns without a header; ``unit`` gives each row's multiple of a second."""
    units = [unit] * len(frame) if isinstance(unit, int) else unit
    rows = zip(frame.itertuples(index=False), stamps(frame, "UTC"), units, strict=True)
    return [[s * u, *row, (s + 86_399) * u, 1.5, 7, 2.5, 3.5, 0] for row, s, u in rows]


def joined(rows, header=None, sep=","):
    return "\n".join(sep.join(map(str, row)) for row in ([header] if header else []) + rows) + "\n"


# Case → file name, content, the frame that it stands for.
SINGLE = {
    # zones
    "yf_history_tokyo": ("X.csv", csv(B, local(B, "Asia/Tokyo"), Dividends=0.0), B),
    "yf_history_london": ("X.csv", csv(B, local(B, "Europe/London"), Dividends=0.0), B),
    "tz_tokyo_colon": ("X.csv", csv(B, [s.isoformat(sep=" ") for s in local(B, "Asia/Tokyo")]), B),
    "kaggle_world_prices": ("W.csv", csv(B, local(B, "America/New_York"), Brand_Name="x", Ticker="X"), B),
    "utc_daily_dax": ("X.csv", csv(B, utc(B, "Europe/Berlin")), B),
    "utc_daily_sydney": ("X.csv", csv(B, utc(B, "Australia/Sydney")), B),
    "oanda_daily_21z": ("X.csv", csv(FX, utc(FX.shift(freq="-1D"), "America/New_York", "17h"), index_name="time"), FX),
    "tv_daily_stock": ("X.csv", csv(B, stamps(B, "America/New_York", "9h30min"), index_name="time", VWAP=1.0), B),
    "finnhub_0345z": ("X.csv", csv(B, [*stamps(B, "Asia/Kolkata", "9h15min")[:-1], stamps(B, "UTC")[-1]]), B),
    "alpaca_crypto_6am": ("X.csv", csv(COIN, utc(COIN, "UTC", "6h"), index_name="timestamp"), COIN),
    "alpaca_daily": ("X.csv", csv(B, utc(B, "America/New_York"), list("ohlcv"), index_name="t", vw=1.0), B),
    "coinmarketcap": (
        "X.csv",
        csv(COIN[::-1], [f"{d:%Y-%m-%d}T23:59:59.999Z" for d in COIN.index[::-1]], sep=";", name="2781"),
        COIN,
    ),
    "yahooquery_last_zoned": ("X.csv", csv(B) + "2022-12-31 09:30:00-04:00,9,9.4,8.8,9.1,0\n", B),
    # time numbers
    "epoch_daily_mixed_s_ms": (
        "X.csv",
        csv(B, [s * (1 if i % 5 else 1000) for i, s in enumerate(stamps(B, "UTC"))], index_name="timestamp"),
        B,
    ),
    "binance_header_mixed_units": (
        "X.csv",
        joined(kline(COIN, [1000 if i < 100 else 10**6 for i in range(COUNT)]), KLINE),
        COIN,
    ),
    "date_and_epoch_time": ("X.csv", csv(COIN, time=stamps(COIN, "UTC"), volumeto=1.0), COIN),
    # decimals
    "euro_2dec": ("X.csv", csv(comma(ROUND, 2), ROUND.index.strftime("%d.%m.%Y"), sep=";"), ROUND),
    "euro_3dec": ("X.csv", csv(comma(THREE, 3), THREE.index.strftime("%d.%m.%Y"), sep=";"), THREE),
    "euro_3dec_iso": ("X.csv", csv(comma(THREE, 3), sep=";"), THREE),
    "euro_comma_delim_quoted": ("X.csv", csv(comma(THREE, 3), THREE.index.strftime("%d.%m.%Y")), THREE),
    "leading_zero": ("X.csv", csv(comma(SMALL, 5)), SMALL),
    # columns
    "mt5_daily": (
        "X.csv",
        csv(
            FX,
            FX.index.strftime("%Y.%m.%d"),
            ["<OPEN>", "<HIGH>", "<LOW>", "<CLOSE>", "<TICKVOL>"],
            "\t",
            "<DATE>",
            **{"<VOL>": 0, "<SPREAD>": 2},
        ).replace("\n", "\r\n"),
        FX,
    ),
    "volume_btc_usd": (
        "X.csv",
        csv(
            COIN, stamps(COIN, "UTC"), [*NAMES[:4], "Volume_(BTC)"], index_name="Timestamp", **{"Volume_(Currency)": 1}
        ),
        COIN,
    ),
    "jquants": (
        "X.csv",
        csv((B * 5).round(1), Code="X", AdjustmentFactor=1.0, **{f"Adjustment{n}": B[n] for n in NAMES}),
        B,
    ),
    "databento": (
        "X.csv",
        csv(
            (B * [1e9, 1e9, 1e9, 1e9, 1]).round().astype("int64"),
            stamps(B, "UTC", unit=10**9),
            index_name="ts_event",
            rtype=35,
            instrument_id=38,
            symbol="X",
        ),
        B,
    ),
    # instruments
    "code_and_name": ("cn.csv", csv(B, **(CODES | {"code": "X"})), B),
    # lines
    "cdd_url_line": ("X.csv", "https://www.example.com\n" + csv(COIN[::-1], unix=1), COIN),
    "sep_line_excel": ("X.csv", "sep=;\n" + csv(B, sep=";"), B),
    "bloomberg_head": (
        "X.csv",
        "Security;SX5E Index;;;;\nCurrency;EUR;;;;\n;;;;;\n"
        + csv(
            comma(ROUND, 2),
            ROUND.index.strftime("%d.%m.%Y"),
            ["PX_OPEN", "PX_HIGH", "PX_LOW", "PX_LAST", "PX_VOLUME"],
            ";",
        ),
        ROUND,
    ),
    "binance_noheader_ms": ("X.csv", joined(kline(COIN, 1000)), COIN),
    "kraken_ohlcvt": ("X.csv", joined([[*row[:1], *row[1:6], 7] for row in kline(COIN, 1)]), COIN),
    "firstrate_noheader": ("X.txt", csv(B).split("\n", 1)[1], B),
    "coinbase_noheader": (
        "X.csv",
        csv(COIN[["Low", "High", "Open", "Close", "Volume"]], stamps(COIN, "UTC")).split("\n", 1)[1],
        COIN,
    ),
    "metatrader4": (
        "X.csv",
        joined([[f"{d:%Y.%m.%d}", "00:00", *r] for d, r in zip(FX.index, FX.to_numpy(), strict=True)]),
        FX,
    ),
    "short_row_truncated": ("X.csv", csv(B) + "2022-12-31,209.1,2", B),
    "units_row": ("X.csv", csv(B).replace("\n", "\n,USD,USD,USD,USD,shares\n", 1), B),
    # names
    "euro_ariva": (
        "X.csv",
        csv(
            comma(ROUND, 2)[::-1], None, ["Erster", "Hoch", "Tief", "Schlusskurs", "Stuecke"], ";", "Datum", Volumen="1"
        ),
        ROUND,
    ),
    "dukascopy": ("X.csv", csv(FX, FX.index.strftime("%d.%m.%Y 00:00:00.000"), index_name="Gmt time"), FX),
    "nse_udiff": (
        "X.csv",
        csv(
            B,
            None,
            ["OpnPric", "HghPric", "LwPric", "ClsPric", "TtlTradgVol"],
            index_name="TradDt",
            TckrSymb="X",
            SctySrs="EQ",
        ),
        B,
    ),
    "polygon_flat": (
        "X.csv",
        csv(B, stamps(B, "America/New_York", unit=10**9), index_name="window_start", ticker="X"),
        B,
    ),
    "unnamed_date_index": ("X.csv", csv(B, index_name=""), B),
    # containers
    "binance_zip": ("X.zip", zipped("X.csv", joined(kline(COIN, 1000), KLINE)), COIN),
    "csv_zip": ("X.csv.zip", zipped("X.csv", csv(B)), B),
    "utf16": ("X.csv", csv(B).replace("\n", "\r\n").encode("utf-16"), B),
    "shift_jis": (
        "X.csv",
        csv(B, None, ["始値", "高値", "安値", "終値", "出来高"], index_name="日付").encode("cp932"),
        B,
    ),
    "gbk": ("X.csv", csv(B, None, ["开盘", "最高", "最低", "收盘", "成交量"], index_name="日期").encode("gbk"), B),
    "ccxt_json": ("X.json", json.dumps([row[:6] for row in kline(COIN, 1000)]), COIN),
    "records_json": ("X.json", B.reset_index().to_json(orient="records", date_format="iso"), B),
    "gz_without_suffix": ("X.csv", gzip.compress(csv(B).encode()), B),
    # spellings
    "ddmonyy": ("X.csv", csv(B, B.index.strftime("%d-%b-%y"), index_name="DATE"), B),
    "finam_yymmdd": (
        "F.csv",
        csv(
            B,
            None,
            ["<OPEN>", "<HIGH>", "<LOW>", "<CLOSE>", "<VOL>"],
            ";",
            "drop",
            **{"<TICKER>": "X", "<PER>": "D", "<DATE>": B.index.strftime("%y%m%d"), "<TIME>": "000000"},
        ),
        B,
    ),
    "fr_months": (
        "X.csv",
        csv(B, [f"{d.day} {FRENCH[d.month - 1]} {d.year}" for d in B.index], sep=";"),
        B,
    ),
    # placeholders
    "dates_1899_2099": (
        "X.csv",
        csv(B).replace("\n", "\n1899-12-30,1,1,1,1,0\n", 1) + "2099-12-31,1,1,1,1,1\n9999-12-31,1,1,1,1,1\n",
        B,
    ),
}


@pytest.mark.parametrize("case", SINGLE)
def test_a_file_is_read_as_the_bars_that_it_stands_for(tmp_path, case):
    name, content, frame = SINGLE[case]
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    (found,), _ = loaded(tmp_path / name)
    assert found.symbol == "X"
    np.testing.assert_array_equal(found.dates, frame.index.to_numpy().astype("datetime64[ns]"))
    for name in NAMES:
        np.testing.assert_allclose(getattr(found, name.lower()), frame[name], rtol=1e-9, err_msg=name)


TWO = {"AAPL": B, "C": bars(base=40.0)}


def long(names: dict[str, pd.DataFrame], column: str, index_name="date") -> pd.DataFrame:
    parts = [frame.assign(**{column: name}) for name, frame in names.items()]
    return pd.concat(parts).sort_index(kind="stable").rename_axis(index_name).reset_index()


def closes(*names):
    return pd.DataFrame({name: bars(base=40.0 * (i + 1), decimals=2)["Close"] for i, name in enumerate(names)})


SEVERAL = {
    "symbol_column_stock": long(TWO, "stock").to_csv(index=False),
    "nixtla_ids": long(TWO, "unique_id", "ds").to_csv(index=False),
    "yf_2level_noname": ",Close,Close,High,High,Low,Low,Open,Open,Volume,Volume\n,"
    + ",".join(["AAPL,C"] * 5)
    + "\nDate,,,,,,,,,,\n"
    + pd.concat({n: pd.concat({k: f[n] for k, f in TWO.items()}, axis=1) for n in sorted(NAMES)}, axis=1).to_csv(
        header=False
    ),
    "yfinance_price_ticker": pd.concat(TWO, axis=1, names=["Ticker", "Price"]).swaplevel(axis=1).to_csv(),
    "quantmod_names": pd.concat({f"{k}.{n}": f[n] for k, f in TWO.items() for n in NAMES}, axis=1).to_csv(),
}


@pytest.mark.parametrize("case", SEVERAL)
def test_a_file_of_two_symbols_gives_both(tmp_path, case):
    (tmp_path / "prices.csv").write_text(SEVERAL[case])
    found, _ = loaded(tmp_path / "prices.csv")
    assert [one.symbol for one in found] == list(TWO)
    for one, frame in zip(found, TWO.values(), strict=True):
        np.testing.assert_array_equal(one.dates, frame.index.to_numpy().astype("datetime64[ns]"))
        np.testing.assert_array_equal(one.open, frame["Open"])
        np.testing.assert_array_equal(one.close, frame["Close"])


@pytest.mark.parametrize(
    "names", [["BAC", "C", "GS", "JPM"], ["AAPL", "JPM", "V"], ["AAPL", "MSFT", "GOOG"], ["HD", "LOW"]]
)
def test_a_matrix_of_closes_is_a_series_of_each_column(tmp_path, names):
    matrix = closes(*names)
    matrix.iloc[3, 0] = np.nan
    matrix.to_csv(tmp_path / "closes.csv")
    for found in (loaded(tmp_path / "closes.csv")[0], bars_from_frame(matrix)[0]):
        assert [one.symbol for one in found] == sorted(names) and not any(one.has_range for one in found)
        for one in found:
            np.testing.assert_array_equal(one.close, matrix[one.symbol].dropna())


def test_a_column_that_tells_instruments_apart_is_named_and_can_be_chosen(tmp_path):
    long({"1": B, "6": TWO["C"]}, "Kind").to_csv(tmp_path / "train.csv", index=False)
    with pytest.raises(DataError, match=r"column 'Kind' may name the instrument. Say so: --symbol-column 'Kind'"):
        loaded(tmp_path / "train.csv")
    found, _ = loaded(tmp_path / "train.csv", symbol_column="kind")
    assert [one.symbol for one in found] == ["1", "6"]


def test_two_series_without_a_column_that_tells_them_apart_are_refused(tmp_path):
    pd.concat([B, TWO["C"]]).to_csv(tmp_path / "X.csv")
    with pytest.raises(DataError, match="several instruments or periods"):
        loaded(tmp_path / "X.csv")


def test_bonds_of_a_share_are_symbols_of_their_own(tmp_path):
    frame = long({"EQ": B, "N1": TWO["C"]}, "SERIES").assign(SYMBOL="IRFC")
    frame.to_csv(tmp_path / "bhav.csv", index=False)
    assert [one.symbol for one in loaded(tmp_path / "bhav.csv")[0]] == ["IRFC", "IRFC-N1"]


@pytest.mark.parametrize("zone", ["US/Eastern", "America/New_York"])
def test_intraday_times_with_the_name_of_a_zone_are_utc(tmp_path, zone):
    hours = [f"{day:%Y%m%d} {hour}:30:00 {zone}" for day in B.index[:120] for hour in ("09", "10", "11")]
    (tmp_path / "SPY.csv").write_text(csv(bars(count=360), hours, index_name="date"))
    (found,), source = loaded(tmp_path / "SPY.csv")
    assert str(found.dates[0])[:16] == "2022-01-03T14:30" and str(found.dates[-1])[:16] == "2022-06-17T15:30"
    assert "times: intraday, UTC" in source.read_as["SPY"]


def test_packed_digits_with_a_time_of_day(tmp_path):
    times = [f"{day:%Y%m%d}{hour}3000" for day in B.index[:100] for hour in ("09", "10")]
    (tmp_path / "005930.csv").write_text(csv(bars(count=200), times, index_name="date"))
    ((found,), _) = loaded(tmp_path / "005930.csv")
    assert str(found.dates[1])[:16] == "2022-01-03T10:30" and len(found) == 200


def test_stale_bars_and_opens_of_zero_are_kept_and_reported(tmp_path):
    frame = B.copy()
    frame.iloc[100:120, :4] = frame.iloc[99]["Close"]
    frame.iloc[100:120, 4] = np.nan
    frame.to_csv(tmp_path / "X.csv")
    (found,), source = loaded(tmp_path / "X.csv")
    assert len(found) == COUNT and source.quarantine.counts() == {"stale_price": 20}
    B.assign(Open=np.where(np.arange(COUNT) < 130, 0.0, B["Open"])).to_csv(tmp_path / "X.csv")
    (found,), source = loaded(tmp_path / "X.csv")
    assert len(found) == COUNT and source.quarantine.counts() == {"missing_open": 130}
    inside = np.clip(B["Close"].shift(1), B["Low"], B["High"])
    np.testing.assert_allclose(found.open[1:130], inside[1:130], rtol=1e-12)


def test_what_is_left_out_has_a_rule(tmp_path):
    text = csv(B).replace("\n", "\n1899-12-30,1,1,1,1,0\n", 1) + "2023-01-31 09:30:00-04:00,9,9,9,9,1\n2023-02-01,1,2\n"
    (tmp_path / "X.csv").write_text(text)
    (found,), source = loaded(tmp_path / "X.csv")
    assert len(found) == COUNT
    assert source.quarantine.counts() == {"ragged_row": 1, "unfinished_bar": 1, "placeholder_date": 1}


def sheet(rows) -> str:
    def cell(value):
        number = isinstance(value, float)
        return f"<c><v>{value}</v></c>" if number else f'<c t="inlineStr"><is><t>{value}</t></is></c>'

    body = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    return f'<worksheet xmlns="{main}"><sheetData>{body}</sheetData></worksheet>'


def workbook(sheets: dict[str, list]) -> bytes:
    """Return a minimal workbook."""
    office, package = (
        "http://schemas.openxmlformats.org/officeDocument/2006",
        "http://schemas.openxmlformats.org/package/2006",
    )
    main, kind = (
        "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
        "application/vnd.openxmlformats-officedocument",
    )
    names = "".join(f'<sheet name="{n}" sheetId="{i}" r:id="r{i}"/>' for i, n in enumerate(sheets, 1))
    links = "".join(
        f'<Relationship Id="r{i}" Type="{office}/relationships/worksheet" Target="worksheets/sheet{i}.xml"/>'
        for i in range(1, len(sheets) + 1)
    )
    files = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Override PartName="/xl/workbook.xml" '
        f'ContentType="{kind}.spreadsheetml.sheet.main+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r" '
        f'Type="{office}/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}/relationships">'
        f"<sheets>{names}</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">{links}</Relationships>',
    } | {f"xl/worksheets/sheet{i}.xml": sheet(rows) for i, rows in enumerate(sheets.values(), 1)}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_a_workbook_is_read_with_its_sheets_as_symbols_if_it_has_several(tmp_path):
    rows = {
        k: [["Date", *NAMES], *([f"{d:%d.%m.%Y}", *map(float, r)] for d, r in f.iterrows())] for k, f in TWO.items()
    }
    (tmp_path / "X.xlsx").write_bytes(workbook({"Sheet1": [["Prices of X"], *rows["AAPL"]]}))
    (found,), _ = loaded(tmp_path / "X.xlsx")
    assert found.symbol == "X" and found.close.tolist() == B["Close"].tolist()
    (tmp_path / "book.xlsx").write_bytes(workbook(rows))
    assert [one.symbol for one in loaded(tmp_path / "book.xlsx")[0]] == ["AAPL", "C"]


def test_arrow_files_and_folders_in_folders_are_read(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    B.reset_index().to_feather(tmp_path / "a" / "X.feather")
    TWO["C"].to_csv(tmp_path / "a" / "b" / "C.csv")
    assert {one.symbol for one in loaded(tmp_path)[0]} == {"X", "C"}


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("X.csv", b"<!DOCTYPE html><html></html>", "web page"),
        ("X.csv", b"\x80\x04\x95" + b"0" * 40, "pickle, which may run code"),
        ("X.csv", b"\x89HDF\r\n" + b"0" * 40, "HDF5"),
        ("X.zip", b"PK\x03\x04" + b"0" * 40, "damaged zip"),
        ("X.csv", csv(bars()).replace("2022-", "Wednesday-").encode(), "no date can be read"),
        (
            "X.csv",
            csv(B, [f"{d:%Y-%m-%d}" if d.month > 3 else f"{d:%b} {d.day}" for d in B.index]).encode(),
            "dates cannot",
        ),
        ("X.csv", csv(B, B.index.strftime("%d/%m/%Y")).split("2022,", 3)[0].encode(), "no"),
        ("X.csv", csv(comma(THREE, 3)).encode(), r"may be \d+\.\d+ or \d+.*--decimal"),
        ("X.csv", csv(COIN, utc(COIN, "Asia/Tokyo")).encode(), "--timezone UTC, or such as --timezone Asia/Tokyo"),
        (
            "X.csv",
            csv(B[:12], B.index[:12].strftime("%d/%m/%Y").str.replace("1[3-9]", "05", regex=True)).encode(),
            "--date-format",
        ),
        (
            "X.csv",
            csv(B, None, ["Ein", "Aus", "Oben", "Unten", "Menge"], index_name="Zeit").encode(),
            "--columns close=NAME",
        ),
    ],
)
def test_what_cannot_be_decided_is_refused_with_what_to_do(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=words) as caught:
        loaded(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_options_decide_what_the_content_cannot(tmp_path):
    path = tmp_path / "X.csv"
    path.write_text(csv(comma(THREE, 3)))
    assert loaded(path, decimal=",")[0][0].open[0] == THREE["Open"].iloc[0]
    assert loaded(path, decimal=".")[0][0].open[0] == round(THREE["Open"].iloc[0] * 1000)
    path.write_text(csv(COIN, utc(COIN, "Asia/Tokyo")))
    assert str(loaded(path, timezone="Asia/Tokyo")[0][0].dates[0])[:10] == "2021-01-01"
    assert str(loaded(path, timezone="UTC")[0][0].dates[0])[:10] == "2020-12-31"
    path.write_text(csv(B[:12], [f"0{i % 9 + 1}/0{i // 9 + 1}/2022" for i in range(12)]))
    assert str(loaded(path, date_format="%d/%m/%Y")[0][0].dates[-1])[:10] == "2022-02-03"
    assert str(loaded(path, date_format="%m/%d/%Y")[0][0].dates[-1])[:10] == "2022-09-01"
    path.write_text(csv(B, None, ["Start", "Top", "Bottom", "End", "Menge"], index_name="Zeit"))
    fields = {"date": "Zeit", "open": "Start", "high": "Top", "low": "Bottom", "close": "End", "volume": "Menge"}
    (found,), _ = loaded(path, columns=fields)
    assert found.close.tolist() == B["Close"].tolist() and found.has_volume
    path.write_text(csv(B).split("\n", 1)[1])
    (found,), _ = loaded(path, columns={"date": "1", "close": "3"})
    assert found.close.tolist() == B["High"].tolist()
