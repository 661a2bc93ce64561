"""Names of the columns of a table without a header, from their values."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from configs.errors import DataError
from features.bars.arrays import Float

_DATE = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([ T].*)?|\d{1,2}[-/. ](\d{1,2}|[^\W\d]{3,})[-/. ](\d{4}|\d{2})([ T].*)?"
    r"|(18|19|20)\d{6}([ T]?\d{4,9})?|1\d{9}(\.0)?|\d{13}(\.0)?|\d{16}|\d{19}|[^\W\d]{3,} \d{1,2},? \d{4}.*"
)
_CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?|0[0-9]{3}|0[0-9]{5}|(1[0-9]|2[0-3])[0-5]\d00")
_NUMBER = re.compile(r"[+-]?(\d[\d.,' \u00a0\u202f]*|[.,]\d+)(e[+-]?\d+)?", re.IGNORECASE)
_SHARE = 0.9
_WIDEST = 3.0  # times the low: prices of one bar


def is_date(text: str) -> bool:
    """Whether a text has the form of a date or a time number."""
    return _DATE.fullmatch(text.strip()) is not None


def is_number(text: str) -> bool:
    """Whether a text has the form of a number."""
    return _NUMBER.fullmatch(text.strip()) is not None


def names_by_position(frame: pd.DataFrame, place: str) -> list[str]:
    """Return names for the columns of a table without a header: date, open, high, low, close, volume where they fit.

    Prices are the first four numbers of which one is always the highest and one the lowest. A price after them is the
    adjusted close or an average, and the first other number the volume. Columns without a role are numbered from 1.

    Raises
    ------
    DataError
        The columns do not fit; the message shows how to name them.
    """
    sample = frame.iloc[:: max(1, len(frame) // 300)].astype(str)
    forms = {"date": _DATE, "clock": _CLOCK, "number": _NUMBER}
    shares = {
        i: {name: _share(sample.iloc[:, i], form) for name, form in forms.items()} for i in range(sample.shape[1])
    }
    names = [str(i + 1) for i in range(sample.shape[1])]
    date = next((i for i in shares if shares[i]["date"] >= _SHARE), None)
    numbers = [i for i in shares if shares[i]["number"] >= _SHARE and i != date]
    if date is None or not numbers:
        raise _unclear(frame, place)
    names[date] = "date"
    if date + 1 in shares and shares[date + 1]["clock"] >= _SHARE:
        names[date + 1] = "time"
    for i in range(min(3, len(names))):
        if names[i] == str(i + 1) and max(shares[i].values()) < 0.5 and sample.iloc[:, i].str.strip().ne("").all():
            names[i] = "symbol"
            break
    numbers = [i for i in numbers if i > date and names[i] == str(i + 1)]
    if len(numbers) == 1:
        names[numbers[0]] = "close"
        return names
    prices = numbers[:4]
    values = np.column_stack([_values(sample.iloc[:, i]) for i in prices]) if len(prices) == 4 else np.empty((0, 4))
    values = values[np.isfinite(values).all(axis=1)]
    if not len(values):
        raise _unclear(frame, place)
    high = int(np.argmax((values >= values.max(axis=1, keepdims=True)).mean(axis=0)))
    low = int(np.argmax((values <= values.min(axis=1, keepdims=True)).mean(axis=0)))
    fits = (
        (values[:, high] >= values.max(axis=1)).mean() >= _SHARE,
        (values[:, low] <= values.min(axis=1)).mean() >= _SHARE,
    )
    with np.errstate(all="ignore"):
        near = (values.max(axis=1) <= _WIDEST * values.min(axis=1)).mean() >= _SHARE  # else one of them is a volume
    if high == low or not all(fits) or not near:
        raise _unclear(frame, place)
    opened, closed = (k for k in range(4) if k not in (high, low))
    for name, k in (("open", opened), ("high", high), ("low", low), ("close", closed)):
        names[prices[k]] = name
    close = _values(sample.iloc[:, prices[closed]])
    for i in numbers[4:]:
        with np.errstate(all="ignore"):
            ratio = np.log(_values(sample.iloc[:, i]) / close)
        ratio = ratio[np.isfinite(ratio)]
        if len(ratio) > 1 and np.abs(np.median(ratio)) < 3.0 and np.median(np.abs(np.diff(ratio))) < 0.02:
            below = _values(sample.iloc[:, i]) < _values(sample.iloc[:, prices[low]])
            names[i] = "adj close" if below.mean() > 0.1 or (np.abs(ratio) < 1e-9).mean() > 0.5 else f"{i + 1}"
            continue
        names[i] = "volume"
        break
    return names


def _share(texts: pd.Series, form: re.Pattern[str]) -> float:
    return float(np.mean([form.fullmatch(text.strip()) is not None for text in texts]))


def _values(text: pd.Series) -> Float:
    plain = text.str.replace(r"['\s]", "", regex=True)
    commas = plain[plain.str.contains(",", regex=False)]
    comma = bool(len(commas)) and not commas.str.fullmatch(r"[+-]?\d{1,3}(,\d{2,3})+(\.\d*)?").all()
    plain = plain.str.replace(".", "", regex=False) if comma else plain
    plain = plain.str.replace(",", "." if comma else "", regex=False)
    return pd.to_numeric(plain, errors="coerce").to_numpy(np.float64)


def _unclear(frame: pd.DataFrame, place: str) -> DataError:
    first = ", ".join(repr(str(value)) for value in frame.iloc[0, :12])
    return DataError(
        f"{place} has no header line (first: {first}), and its columns are not date, open, high, low, close "
        "and volume. "
        "Add a header, or name columns by position: --columns date=1,open=2,high=3,low=4,close=5"
    )
