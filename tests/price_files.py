"""Valid bars, and their text as vendors and people write it."""

import io
import zipfile

import numpy as np
import pandas as pd

from configs.reading import ReadingConfig
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


def stamps(frame, zone="UTC", clock="0h", unit=1):
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
THREE = bars(base=13.0, decimals=3)
TWO = {"AAPL": B, "C": bars(base=40.0)}


def long(names: dict[str, pd.DataFrame], column: str, index_name="date") -> pd.DataFrame:
    parts = [frame.assign(**{column: name}) for name, frame in names.items()]
    return pd.concat(parts).sort_index(kind="stable").rename_axis(index_name).reset_index()


KLINE = "open_time,open,high,low,close,volume,close_time,quote_volume,count,a,b,ignore".split(",")


def kline(frame, unit):
    """Return Binance's twelve columns without a header; ``unit`` gives each row's multiple of a second."""
    units = [unit] * len(frame) if isinstance(unit, int) else unit
    rows = zip(frame.itertuples(index=False), stamps(frame, "UTC"), units, strict=True)
    return [[s * u, *row, (s + 86_399) * u, 1.5, 7, 2.5, 3.5, 0] for row, s, u in rows]


def joined(rows, header=None, sep=","):
    return "\n".join(sep.join(map(str, row)) for row in ([header] if header else []) + rows) + "\n"
