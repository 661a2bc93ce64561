"""Whatever notation a series is written in, it is read back equal, or refused with a reason; never different."""

import bz2
import gzip
import io
import os
import subprocess
import sys
import zipfile
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from configs.errors import DataError
from configs.reading import ReadingConfig
from features.bars.merge import fingerprint
from features.bars.schema import bars_from_frame
from features.sources.files import FileSource

pytestmark = pytest.mark.slow

HEADERS = {
    "yahoo": ("Date", "Open", "High", "Low", "Close", "Volume"),
    "metatrader": ("<DATE>", "<OPEN>", "<HIGH>", "<LOW>", "<CLOSE>", "<TICKVOL>"),
    "german": ("Datum", "Eröffnung", "Hoch", "Tief", "Schluss", "Volumen"),
    "japanese": ("日付", "始値", "高値", "安値", "終値", "出来高"),
    "exchange": ("timestamp", "o", "h", "l", "c", "v"),
    "unnamed": ("", "open", "high", "low", "close", "volume"),
    "bloomberg": ("Date", "PX_OPEN", "PX_HIGH", "PX_LOW", "PX_LAST", "PX_VOLUME"),
    "none": None,
}
PATTERNS = (
    "%Y-%m-%d %Y/%m/%d %Y.%m.%d %Y%m%d %d.%m.%Y %d/%m/%Y %m/%d/%Y %d-%b-%y %d_%B_%Y %b_%d,_%Y %y%m%d %d.%m.%y "
    "%Y-%m-%d_00:00:00 %Y-%m-%dT00:00:00 %d.%m.%Y_00:00:00.000"
).split()
ZONES = ["UTC", "Asia/Tokyo", "Europe/London", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Sydney"]
PHASES = [Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink]
UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def series(count=60, seed=0, first="2021-11-01", weekends=False, base=80.0, decimals=2) -> pd.DataFrame:
    """Return daily bars with the columns date, open, high, low, close and volume."""
    random = np.random.default_rng(seed)
    close = base * np.exp(np.cumsum(random.normal(0, 0.02, count)))
    opened = close * np.exp(random.normal(0, 0.01, count))
    high, low = np.maximum(opened, close) * 1.005, np.minimum(opened, close) * 0.995
    prices = {n: np.round(v, decimals) for n, v in (("open", opened), ("high", high), ("low", low), ("close", close))}
    prices["high"] = np.maximum(prices["high"], np.maximum(prices["open"], prices["close"]))
    prices["low"] = np.minimum(prices["low"], np.minimum(prices["open"], prices["close"]))
    dates = pd.date_range(first, periods=count, freq="D" if weekends else "B")
    return pd.DataFrame({"date": dates, **prices, "volume": random.integers(1, 10**7, count)})


def number(value: float, decimal: str, group: str, decimals: int) -> str:
    text = f"{value:,.{decimals}f}" if group else f"{value:.{decimals}f}"
    return text.replace(",", "\0").replace(".", decimal).replace("\0", group)


def spelled_dates(dates: pd.DatetimeIndex, spelling: str, zone: str, clock: str) -> list[str]:
    if spelling in PATTERNS:
        return [day.strftime(spelling).replace("_", " ") for day in dates]
    local = (dates + pd.Timedelta(clock)).tz_localize(zone)
    if spelling in UNITS:
        return [str(int(stamp.timestamp()) * UNITS[spelling]) for stamp in local]
    if spelling == "offset":
        return [stamp.isoformat(sep=" ") for stamp in local]
    if spelling == "name":
        return [stamp.strftime(f"%Y-%m-%d %H:%M:%S {zone}") for stamp in local]
    return [stamp.tz_convert("UTC").strftime("%Y-%m-%dT%H:%M:%SZ") for stamp in local]


def packed(text: str, container: str, encoding: str) -> tuple[str, bytes]:
    data = text.encode(encoding)
    if container == "gz":
        return "X.csv.gz", gzip.compress(data)
    if container == "bz2":
        return "X.csv.bz2", bz2.compress(data)
    if container == "zip":
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("X.csv", data)
        return "X.zip", buffer.getvalue()
    return f"X.{container}", data


def loaded(path):
    source = FileSource(str(path))
    bars = list(source.load())
    return bars, source


def assert_equal(bars, frame: pd.DataFrame) -> None:
    np.testing.assert_array_equal(bars.dates, frame["date"].to_numpy().astype("datetime64[ns]"))
    for name in ("open", "high", "low", "close", "volume"):
        np.testing.assert_allclose(getattr(bars, name), frame[name], rtol=1e-9)


@settings(max_examples=100, deadline=None, phases=PHASES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_series_in_any_notation_is_read_back_equal_or_refused(tmp_path, data):
    draw = data.draw
    decimals = draw(st.sampled_from([0, 2, 3, 4]), "decimals")
    base = draw(st.sampled_from([0.5, 1.3, 12.0, 80.0, 1500.0, 40_000.0]), "base")
    frame = series(
        draw(st.integers(12, 90), "bars"),
        draw(st.integers(0, 10**6), "seed"),
        draw(st.sampled_from(["1999-12-20", "2021-11-01", "2024-02-26", "2012-03-01"]), "first"),
        draw(st.booleans(), "weekends"),
        base,
        decimals if base > 1 else 4,
    )
    decimals = decimals if base > 1 else 4
    decimal = draw(st.sampled_from([".", ","]), "decimal")
    group = draw(st.sampled_from(["", "", {".": ",", ",": "."}[decimal], " ", "'"]), "group")
    delimiter = draw(st.sampled_from(",;\t|"), "delimiter")
    header = HEADERS[draw(st.sampled_from(sorted(HEADERS)), "header")]
    spelling = draw(st.sampled_from([*PATTERNS, *UNITS, "offset", "utc", "name"]), "dates")
    zone, clock = draw(st.sampled_from(ZONES), "zone"), draw(st.sampled_from(["0h", "9h30min", "16h"]), "clock")
    container = draw(st.sampled_from(["csv", "txt", "gz", "bz2", "zip"]), "container")
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]), "encoding")
    end, order = (
        draw(st.sampled_from(["\n", "\r\n"]), "line end"),
        draw(st.sampled_from(["up", "down", "any"]), "order"),
    )

    rows = list(range(len(frame)))
    rows = rows[::-1] if order == "down" else draw(st.permutations(rows)) if order == "any" else rows
    texts = [spelled_dates(pd.DatetimeIndex(frame["date"]), spelling, zone, clock)]
    texts += [[number(v, decimal, group, decimals) for v in frame[n]] for n in ("open", "high", "low", "close")]
    texts += [[number(v, decimal, group, 0) for v in frame["volume"]]]
    lines = [[column[row] for column in texts] for row in rows]
    lines = lines if header is None else [list(header), *lines]
    quoted = [[f'"{cell}"' if delimiter in cell else cell for cell in line] for line in lines]
    text = end.join(delimiter.join(line) for line in quoted) + end
    name, content = packed(text, container, encoding)
    path = tmp_path / name
    path.write_bytes(content)
    try:
        (bars, *more), source = loaded(path)
    except DataError as error:
        assert name in str(error) and "\n" not in str(error)
        event(f"refused: {str(error)[-60:]}")
        return
    finally:
        path.unlink()
    event("read")
    assert not more and bars.symbol == "X"
    assert sum(source.quarantine.lost().values()) == 0, source.quarantine.frame.iloc[0].to_dict()
    assert_equal(bars, frame)


NOTATIONS = {
    "plain": lambda f: f.assign(date=f["date"].dt.strftime("%Y-%m-%d")),
    "tokyo": lambda f: f.assign(date=f["date"].dt.tz_localize("Asia/Tokyo")),
    "london": lambda f: f.assign(date=f["date"].dt.tz_localize("Europe/London")),
    "new york at the open, as UTC": lambda f: f.assign(
        date=(f["date"] + pd.Timedelta("9h30min")).dt.tz_localize("America/New_York").dt.tz_convert("UTC")
    ),
    "epoch": lambda f: f.assign(date=f["date"].astype("int64") // (10**9 if f["date"].dtype == "M8[ns]" else 10**6)),
    "excel": lambda f: f.assign(date=(f["date"] - pd.Timestamp("1899-12-30")).dt.days),
    "packed": lambda f: f.assign(date=f["date"].dt.strftime("%Y%m%d").astype(int)),
    "day first": lambda f: f.assign(date=f["date"].dt.strftime("%d.%m.%Y")),
    "datetimes": lambda f: f,
}


@pytest.mark.parametrize("notation", NOTATIONS)
def test_a_frame_and_its_files_give_the_same_bars_in_any_order(tmp_path, notation):
    frame = NOTATIONS[notation](series(250))
    (expected,), quarantine = bars_from_frame(frame, "X")
    assert_equal(expected, series(250))
    assert not len(quarantine)
    text = frame.to_csv(index=False)
    contents = {
        "plain.csv": text.encode(),
        "bom.csv": text.encode("utf-8-sig"),
        "crlf.csv": text.replace("\n", "\r\n").encode(),
        "mac.csv": text.replace("\n", "\r").encode(),
        "reversed.csv": frame[::-1].to_csv(index=False).encode(),
        "shuffled.csv": frame.sample(frac=1, random_state=1).to_csv(index=False).encode(),
        "semicolon.txt": frame.to_csv(index=False, sep=";").encode(),
        "packed.csv.gz": gzip.compress(text.encode()),
        "packed.zip": packed(text, "zip", "utf-8")[1],
        "indexed.csv": frame.set_index("date").to_csv().encode(),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    frame.to_parquet(tmp_path / "plain.parquet")
    frame.set_index("date").to_parquet(tmp_path / "indexed.parquet")
    frame.to_feather(tmp_path / "plain.feather")
    found = {path.name: fingerprint(one) for path in tmp_path.iterdir() for one in FileSource(str(path), "X").load()}
    assert len(found) == len(contents) + 3
    assert {name for name, print_ in found.items() if print_ != fingerprint(expected)} == set()
    for other in (
        frame[::-1],
        frame.set_index("date"),
        pd.read_csv(io.StringIO(text)),
        frame.astype({"close": object}),
    ):
        assert fingerprint(bars_from_frame(other, "X")[0][0]) == fingerprint(expected)


def test_the_time_zone_of_the_host_does_not_matter(tmp_path):
    for i, notation in enumerate(NOTATIONS):
        NOTATIONS[notation](series(60)).to_csv(tmp_path / f"{i}.csv", index=False)
    code = (
        "import sys; from features.sources.files import FileSource; from features.bars.merge import fingerprint;"
        "print(*(fingerprint(b) for b in FileSource(sys.argv[1]).load()))"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)],
            env=os.environ | {"TZ": zone},
            stdout=subprocess.PIPE,
            text=True,
        )
        for zone in ("Asia/Tokyo", "America/Los_Angeles")
    ]
    first, second = (process.communicate()[0] for process in started)
    here = " ".join(fingerprint(bars) for bars in FileSource(str(tmp_path)).load())
    assert first == second == here + "\n" and len(here.split()) == len(NOTATIONS)


@pytest.mark.parametrize("count", [3, 4, 5, 6, 12])
def test_a_short_series_is_daily_or_intraday_but_never_a_day_off(count):
    frame = series(count, first="2022-01-04")
    for zone in ("Asia/Tokyo", "Europe/Berlin", "America/New_York"):
        local = frame["date"].dt.tz_localize(zone)
        (found,), _ = bars_from_frame(frame.assign(date=[stamp.isoformat() for stamp in local]), "X")
        assert_equal(found, frame)
    assert all(a < b for a, b in pairwise(found.dates))


@pytest.mark.parametrize("count", [5, 6, 7, 12, 45, 300])
def test_a_market_without_weekends_does_not_say_where_its_day_begins(count):
    frame = series(count, first="2012-03-01", weekends=True)
    midnight = frame["date"].dt.tz_localize("Asia/Tokyo").dt.tz_convert("UTC")
    with pytest.raises(DataError, match="--timezone UTC, or such as --timezone Asia/Tokyo"):
        bars_from_frame(frame.assign(date=midnight), "X")
    (found,), _ = bars_from_frame(frame.assign(date=midnight), "X", reading=ReadingConfig(timezone="Asia/Tokyo"))
    assert_equal(found, frame)
