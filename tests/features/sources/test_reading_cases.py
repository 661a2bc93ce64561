"""Files as vendors and people write them, each with the bars that it stands for. Prices are synthetic."""

import gzip
import json

import numpy as np
import pytest
from price_files import (
    COIN,
    COUNT,
    FX,
    KLINE,
    NAMES,
    THREE,
    B,
    bars,
    comma,
    csv,
    joined,
    kline,
    loaded,
    local,
    stamps,
    utc,
    zipped,
)

ROUND = bars(base=12.0, decimals=2)
SMALL = (THREE / 100).assign(Volume=THREE["Volume"])
CODES = {"code": "600519", "name": "贵州茅台"}
FRENCH = "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.".split()


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
