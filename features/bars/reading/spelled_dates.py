"""Dates as text: day and month order, months by name, two-digit years. Time zones are cut off before."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
import pandas as pd

from configs.errors import DataError
from features.bars.arrays import Dates
from features.bars.reading.extraction import as_integers, extracted, selected
from features.bars.reading.names import compact
from features.bars.reading.odd_dates import common_notation

_FIRST, _LAST = np.datetime64("1678-01-01"), np.datetime64("2262-01-01")
_SLASHED = r"^(?P<a>\d{1,2})\s?[/.\-]\s?(?P<b>\d{1,2})\s?[/.\-]\s?(?P<y>\d{4}|\d{2})\.?(?P<rest>(?:[ T,].*)?)$"
_YEAR_FIRST = r"^(?P<y>\d{4})\s?[/.年\-]\s?(?P<b>\d{1,2})\s?[/.月\-]\s?(?P<a>\d{1,2})[日.]?(?P<rest>(?:[ T].*)?)$"
_NAMED = (
    r"^(?:[^\W\d]+\.?,?\s+)?(?P<d>\d{1,2})(?:st|nd|rd|th|º|er)?[.\-\s/,]*(?:de\s|of\s)?(?P<m>[^\W\d]+)\.?[\-\s/,.']*"
    r"(?:de\s|del\s)?(?P<y>\d{4}|\d{2})(?P<rest>(?:[ T:].*)?)$"
)
_NAMED_FIRST = (
    r"^(?:[^\W\d]+\.?,?\s+)?(?P<m>[^\W\d]+)\.?[\-\s/]*(?P<d>\d{1,2})(?:st|nd|rd|th)?[\-\s/,]+"
    r"(?P<y>\d{4}|\d{2})(?P<rest>(?:[ T].*)?)$"
)
_NAMED_YEAR = r"^(?P<y>\d{4})[\-\s/]?(?P<m>[^\W\d]+)\.?[\-\s/]?(?P<d>\d{1,2})(?P<rest>(?:[ T].*)?)$"
_CLOCK = (
    r"^[ T,:]*(?P<h>\d{1,2})[:.](?P<mi>\d{2})(?:[:.](?P<s>\d{2})(?:[.,:](?P<f>\d{1,9}))?)?\s*(?P<p>[AaPp]\.?[Mm]\.?)?$"
)

# A month's names from their first letters on, in languages of exchanges; each entry is a prefix that only it has.
_MONTHS = (
    "jan gen ene янв oca sty led tammi ian jaan ιαν січ",
    "feb fev фев şub lut úno helmi veeb φεβ лют",
    "mar mär mrz мар mrt maa bře μαρ бер",
    "apr avr abr апр nis kwi dub huhti ápr απρ кві",
    "may mai mag maj mei май мая kvě touko máj μαι тра",
    "jun juin giu июн haz cze čer kesä juun iun ιουν чер",
    "jul juil lug июл tem lip čvc červene heinä juul iul ιουλ лип",
    "aug août aou ago авг ağu sie srp elo agu αυγ сер",
    "sep set сен eyl wrz zář syys szep σεπ вер",
    "oct okt ott out окт eki paź říj loka οκτ жов",
    "nov ноя kas lis marras noi νοε лис",
    "dec dez dic des дек ara gru pro joulu det δεκ гру",
)
_PREFIXES = sorted(
    ((compact(prefix), month) for month, names in enumerate(_MONTHS, 1) for prefix in names.split()),
    key=lambda item: -len(item[0]),
)


def month_of(name: str) -> int | None:
    """Return the month that a name or abbreviation stands for: ``janv.`` → 1, ``Dez`` → 12; None if it is none."""
    text = compact(name)
    if len(text) < 3:
        return None
    return next((month for prefix, month in _PREFIXES if text.startswith(prefix)), None)


def in_range(values: pd.Series | np.ndarray) -> Dates:
    """Return ``datetime64[ns]``, NaT for what nanoseconds cannot represent."""
    array = values.to_numpy() if isinstance(values, pd.Series) else values
    if array.dtype == np.dtype("datetime64[ns]"):
        return array
    inside = (array >= _FIRST) & (array < _LAST)
    return np.where(inside, array, np.datetime64("NaT")).astype("datetime64[ns]")


def parse_spelled(text: pd.Series, place: str) -> Dates:
    """Return ``datetime64[ns]`` of shape (N,) of stripped texts without a zone; NaT where one is no date.

    Whether ``3/4/2020`` is month-first or day-first follows from the other dates.

    Raises
    ------
    DataError
        It is ambiguous which number is the day and which the month.
    """
    out = _parsed(text, place)
    failed = np.isnat(out)
    if failed.any():
        again = common_notation(text[failed])
        changed = (again != text[failed]).to_numpy(bool)
        if changed.any():
            out[np.flatnonzero(failed)[changed]] = _parsed(again[changed], place)
    return out


def _parsed(text: pd.Series, place: str) -> Dates:
    out = np.full(len(text), np.datetime64("NaT"), "datetime64[ns]")
    todo = np.ones(len(text), bool)
    for pattern in (_SLASHED, _YEAR_FIRST, _NAMED, _NAMED_FIRST, _NAMED_YEAR):
        if not todo.any():
            break
        parts = extracted(selected(text, todo), pattern)
        found = parts["y"].notna().to_numpy(bool)
        if not found.any():
            continue
        parts, rows = selected(parts, found), np.flatnonzero(todo)[found]
        if pattern == _SLASHED:
            day_first = _day_first(parts, text.iloc[rows], place)
            day, month = (as_integers(parts[name]) for name in ("ab" if day_first else "ba"))
        elif pattern == _YEAR_FIRST:
            day, month = as_integers(parts["a"]), as_integers(parts["b"])
        else:
            day = as_integers(parts["d"])
            month = parts["m"].map({m: month_of(m) or 0 for m in parts["m"].unique()}).to_numpy(np.int64)
            named = month > 0
            parts, day, month, rows = parts[named], day[named], month[named], rows[named]
        out[rows] = _assembled(parts["y"], month, day) + _clock(parts["rest"])
        todo[rows] = False
    if todo.any():
        out[todo] = in_range(pd.to_datetime(text[todo], format="ISO8601", errors="coerce"))
    return out


def _assembled(year: pd.Series, month: npt.NDArray[np.int64], day: npt.NDArray[np.int64]) -> Dates:
    number = as_integers(year)
    number = np.where(year.str.len() == 4, number, np.where(number < 69, 2000, 1900) + number)
    months = (number - 1970).astype("datetime64[Y]").astype("datetime64[M]") + (month - 1)
    days = months.astype("datetime64[D]") + (day - 1)
    valid = (month >= 1) & (month <= 12) & (days.astype("datetime64[M]") == months)
    return in_range(np.where(valid & (day >= 1), days, np.datetime64("NaT")))


def _clock(rest: pd.Series) -> np.ndarray:
    """Return the times of day after the dates, NaT for a text that is none."""
    codes, distinct = pd.factorize(rest)
    texts = pd.Series(distinct, dtype="str").str.strip()
    times = np.append(parse_clock(texts), np.timedelta64(0, "ns"))  # the last one is of a missing text
    times[:-1][(texts == "").to_numpy(bool)] = 0
    return times[codes]


def parse_clock(text: pd.Series) -> np.ndarray:
    """Return ``timedelta64[ns]`` of times such as ``9:30``, ``09:30:00.000`` and ``4:00 PM``; NaT for other texts."""
    parts = extracted(text, _CLOCK).astype("str")
    hour = pd.to_numeric(parts["h"])
    afternoon = parts["p"].fillna("").str.lower().str[:1]
    hour = hour.where(afternoon == "", hour % 12 + (afternoon == "p") * 12)
    seconds = hour * 3600 + pd.to_numeric(parts["mi"]) * 60 + pd.to_numeric(parts["s"]).fillna(0)
    seconds = seconds.where((hour < 24) & (pd.to_numeric(parts["mi"]) < 60))
    fraction = pd.to_numeric(parts["f"].fillna("").str.ljust(9, "0"))
    whole = np.where(seconds.notna(), seconds.fillna(0) * 10**9 + fraction, np.nan)
    out = np.full(len(text), np.timedelta64("NaT"), "timedelta64[ns]")
    known = np.isfinite(whole)
    out[known] = whole[known].astype(np.int64).astype("timedelta64[ns]")
    return out


def _day_first(parts: pd.DataFrame, text: pd.Series, place: str) -> bool:
    a, b = as_integers(parts["a"]), as_integers(parts["b"])
    day, month = (a > 12) & (b <= 12), (b > 12) & (a <= 12)
    if day.any() and month.any():
        raise DataError(
            f"{place} writes dates both day-first ({text[day].iloc[0]!r}) and month-first ({text[month].iloc[0]!r}). "
            "Write YYYY-MM-DD."
        )
    if not day.any() and not month.any() and (a != b).any():
        separator = re.sub(r"\d", "", text.iloc[0])[:1]
        year = "%Y" if (parts["y"].str.len() == 4).all() else "%y"
        first, second = (separator.join((*order, year)) for order in (("%d", "%m"), ("%m", "%d")))
        raise DataError(
            f"{place} has dates such as {text[a != b].iloc[0]!r}, in which day and month are ambiguous. "
            f"Say which it is: --date-format {first} or {second}"
        )
    return bool(day.any())
