"""Parsing of numbers, dates and times in their common notations, a column at a time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from configs.errors import DataError

_MISSING = {"", "-", "--", ".", "na", "n/a", "nan", "none", "null", "<na>", "nat"}
_GROUPED = r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d*)?"
_SUFFIX = {"k": "e3", "m": "e6", "b": "e9"}
_OFFSET = r"^(?P<wall>.*\d:\d{2}\S*?)\s*(?P<offset>Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)$"
_SLASHED = r"^(?P<a>\d{1,2})[/.\-](?P<b>\d{1,2})[/.\-](?P<y>\d{4}|\d{2})(?P<rest>(?:[ T].*)?)$"
_FIRST, _LAST = np.datetime64("1678-01-01"), np.datetime64("2262-01-01")
_EXCEL_EPOCH = np.datetime64("1899-12-30", "ns")

Float = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Dates = npt.NDArray[np.datetime64]


def parse_numbers(values: pd.Series) -> tuple[Float, Mask]:
    """Return float64 numbers of shape (N,), and a mask of the values that are not numbers.

    Accepts numeric types, numbers as text, thousands separators (``1,234.5``), a currency sign and the suffixes K, M
    and B. A decimal comma (``12,5``) is not a number: it could be misread as 125. Blanks, ``-``, ``.``, ``null`` and
    the like are missing (NaN), not errors.
    """
    if pd.api.types.is_numeric_dtype(values.dtype):
        return values.to_numpy(dtype=np.float64, na_value=np.nan), np.zeros(len(values), bool)
    codes, uniques = pd.factorize(values.astype(str) if values.dtype == object else values)
    text = pd.Series(uniques, dtype=str).str.strip().str.lower()
    plain = pd.to_numeric(text, errors="coerce")
    odd = plain.isna() & ~text.isin(_MISSING)
    if odd.any():
        cleaned = text[odd].str.replace(r"[$€£¥\s]", "", regex=True)
        grouped = cleaned.str.fullmatch(_GROUPED + "[kmb]?")
        cleaned = cleaned.where(~grouped, cleaned.str.replace(",", ""))
        for suffix, power in _SUFFIX.items():
            cleaned = cleaned.str.replace(rf"(?<=\d){suffix}$", power, regex=True)
        plain[odd] = pd.to_numeric(cleaned, errors="coerce")
    wrong = (plain.isna() & odd).to_numpy(bool)
    numbers = plain.to_numpy(np.float64)
    found = codes >= 0
    out = np.full(len(values), np.nan)
    out[found] = numbers[codes[found]]
    unparsable = np.zeros(len(values), bool)
    unparsable[found] = wrong[codes[found]]
    return out, unparsable


def parse_dates(values: pd.Series, place: str = "the frame") -> Dates:
    """Return ``datetime64[ns]`` of shape (N,), NaT where a value is not a date.

    Session dates become midnight without a zone, intraday times UTC. Zoned values that are all at local midnight are
    sessions and keep their local date (a New York session does not move to the day before); other zoned values are
    converted to UTC, even if their offsets differ. Whole numbers are ``YYYYMMDD``, Excel day numbers, or seconds,
    milli-, micro- or nanoseconds since 1970, by their size. Whether ``3/4/2020`` is month-first or day-first follows
    from the column's other dates.

    Raises
    ------
    DataError
        Some times have a zone and others do not, or it is ambiguous which number is the day and which the month.
    """
    if isinstance(values.dtype, pd.PeriodDtype):
        values = values.dt.to_timestamp()
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        wall = _nanoseconds(values.dt.tz_localize(None))
        return wall if _all_midnight(wall) else _nanoseconds(values.dt.tz_convert("UTC").dt.tz_localize(None))
    if values.dtype.kind == "M":
        return _nanoseconds(values)
    if pd.api.types.is_numeric_dtype(values.dtype):
        return _from_numbers(values.to_numpy(dtype=np.float64, na_value=np.nan))
    codes, uniques = pd.factorize(values.astype(str).where(values.notna()) if values.dtype == object else values)
    parsed = np.append(_from_text(pd.Series(uniques, dtype=str).str.strip(), place), np.datetime64("NaT", "ns"))
    return parsed[codes]


def parse_times(values: pd.Series) -> npt.NDArray[np.timedelta64]:
    """Return the time of day as ``timedelta64[ns]`` of shape (N,) from ``HHMMSS`` or ``HH:MM[:SS]``; NaT if neither."""
    text = values.astype(str).str.strip().str.replace(r"\.0$", "", regex=True)
    digits = text.str.fullmatch(r"\d{1,6}")
    packed = text.where(digits, "000000").str.zfill(6)
    clock = packed.str[:2] + ":" + packed.str[2:4] + ":" + packed.str[4:]
    short = text.str.fullmatch(r"\d{1,2}:\d{2}")
    text = text.where(~short, text + ":00")
    return pd.to_timedelta(clock.where(digits, text), errors="coerce").to_numpy("timedelta64[ns]")


def _nanoseconds(values: pd.Series) -> Dates:
    array = values.to_numpy()
    inside = (array >= _FIRST) & (array < _LAST)  # the range of datetime64[ns]
    return np.where(inside, array, np.datetime64("NaT")).astype("datetime64[ns]")


def _all_midnight(dates: Dates) -> bool:
    known = dates[~np.isnat(dates)]
    return bool((known == known.astype("datetime64[D]")).all())


def _from_numbers(numbers: Float) -> Dates:
    out = np.full(len(numbers), np.datetime64("NaT"), "datetime64[ns]")
    finite = np.isfinite(numbers)
    if not finite.any():
        return out
    size = float(np.median(np.abs(numbers[finite])))
    if 1.5e7 <= size < 3e7:
        whole = finite & (numbers == np.floor(numbers)) & (numbers > 1e7) & (numbers < 3e7)
        text = pd.Series(numbers[whole].astype(np.int64)).astype(str)
        out[whole] = pd.to_datetime(text, format="%Y%m%d", errors="coerce").to_numpy("datetime64[ns]")
        return out
    if 1e4 <= size < 1e5:
        inside = finite & (numbers >= 1e4) & (numbers < 1e5)
        out[inside] = _EXCEL_EPOCH + np.round(numbers[inside] * 86_400).astype("timedelta64[s]")
        return out
    for limit, unit in ((1e11, 1e9), (1e14, 1e6), (1e17, 1e3), (9.2e18, 1.0)):
        if size < limit:
            inside = finite & (np.abs(numbers) < min(limit, 9.2e18 / unit)) & (size >= 1e6)
            out[inside] = np.round(numbers[inside]).astype(np.int64) * int(unit) + np.datetime64(0, "ns")
            return out
    return out


def _from_text(text: pd.Series, place: str) -> Dates:
    out = np.full(len(text), np.datetime64("NaT"), "datetime64[ns]")
    numeric = text.str.fullmatch(r"\d+(?:\.\d+)?").to_numpy(bool)
    if numeric.any():
        out[numeric] = _from_numbers(text[numeric].to_numpy(np.float64))
    parts = text.str.extract(_OFFSET)
    zoned = (parts["offset"].notna() & ~numeric).to_numpy(bool)
    naive = ~zoned & ~numeric
    out[naive] = _from_naive(text[naive], place)
    if not zoned.any():
        return out
    wall = _from_naive(parts["wall"][zoned], place)
    if not np.isnat(out).all():
        with_zone, without = text[zoned].iloc[0], text[~np.isnat(out)].iloc[0]
        raise DataError(
            f"{place} mixes times with a zone ({with_zone!r}) and without ({without!r}). "
            "Give all of them an offset, or none."
        )
    if not _all_midnight(wall):
        offset = (
            parts["offset"][zoned]
            .str.replace(r"^(?:Z|UTC|GMT)$", "+0000", regex=True)
            .str.replace(":", "")
            .str.ljust(5, "0")
        )
        minutes = offset.str[1:3].astype(int) * 60 + offset.str[3:5].astype(int)
        sign = np.where(offset.str[0] == "-", -1, 1)
        wall = wall - (sign * minutes.to_numpy()).astype("timedelta64[m]")
    out[zoned] = wall
    return out


def _from_naive(text: pd.Series, place: str) -> Dates:
    parts = text.str.extract(_SLASHED)
    slashed = parts["y"].notna()
    if slashed.any():
        text = text.where(~slashed, _iso(parts, _day_first(parts[slashed], text[slashed], place)))
    parsed = pd.to_datetime(text, format="ISO8601", errors="coerce")
    # The general parser replaces a missing four-digit year with today's: such values stay unparsed.
    rest = parsed.isna() & text.str.contains(r"\d{4}", na=False) & text.str.contains(r"\d{1,2}\D|\D\d{1,2}\b", na=False)
    if rest.any():
        general = pd.to_datetime(text[rest], format="mixed", errors="coerce", utc=True).dt.tz_localize(None)
        parsed = parsed.astype("datetime64[us]")
        parsed[rest] = general.astype("datetime64[us]")
    return _nanoseconds(parsed)


def _iso(parts: pd.DataFrame, day_first: bool) -> pd.Series:
    day, month = (parts["a"], parts["b"]) if day_first else (parts["b"], parts["a"])
    short = parts["y"].str.len() == 2
    year = parts["y"].where(~short, np.where(pd.to_numeric(parts["y"]) < 69, "20", "19") + parts["y"].fillna(""))
    return year + "-" + month.str.zfill(2) + "-" + day.str.zfill(2) + parts["rest"]


def _day_first(parts: pd.DataFrame, text: pd.Series, place: str) -> bool:
    a, b = parts["a"].astype(int), parts["b"].astype(int)
    day, month = (a > 12) & (b <= 12), (b > 12) & (a <= 12)
    if day.any() and month.any():
        raise DataError(
            f"{place} writes dates both day-first ({text[day].iloc[0]!r}) and month-first ({text[month].iloc[0]!r}). "
            "Write YYYY-MM-DD."
        )
    if not day.any() and not month.any() and (a != b).any():
        raise DataError(
            f"{place} has dates such as {text[a != b].iloc[0]!r}, in which day and month are ambiguous. "
            "Write YYYY-MM-DD."
        )
    return bool(day.any())
