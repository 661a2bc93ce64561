"""Stamps: a column of dates or times, each read from its text before any conversion, with its zone if it has one."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from features.bars.arrays import Dates, Mask
from features.bars.reading.epochs import parse_time_numbers
from features.bars.reading.extraction import extracted, selected
from features.bars.reading.odd_dates import without_json_dates
from features.bars.reading.spelled_dates import in_range, parse_clock, parse_spelled
from features.bars.reading.zones import offset_of

_NAT = np.datetime64("NaT", "ns")
_DAY = np.timedelta64(1, "D")
_ZONED = re.compile(
    r"^(?P<wall>.*\d.*?)\s*(?:(?P<utc>Z|UTC|GMT)?(?P<offset>[+-]\d{2}(?::?\d{2})?)|"
    r"(?P<name>Z|[A-Z]{2,5}|[A-Z][A-Za-z]+/[A-Za-z_/]+))(?:\s\(.*\))?$"
)


@dataclass(frozen=True, slots=True)
class Stamps:
    """N stamps. ``instant`` is UTC where ``zoned``, else as written; NaT where a value is no date.

    ``offset`` is the local time minus UTC as written; ``plain`` marks dates that are written without a time of day.
    ``words`` say how they are written.
    """

    instant: Dates
    zoned: Mask
    offset: npt.NDArray[np.timedelta64]
    plain: Mask
    words: list[str] = field(default_factory=list)

    @property
    def wall(self) -> Dates:
        """The local time as written."""
        return self.instant + self.offset

    def take(self, rows: npt.NDArray[np.intp]) -> Stamps:
        """Return the stamps of these rows; −1 is a missing one."""
        instant = np.append(self.instant, _NAT)[rows]
        if not self.zoned.any() and self.plain.all():
            count = len(rows)
            return Stamps(
                instant, np.zeros(count, bool), np.zeros(count, "timedelta64[ns]"), ~np.isnat(instant), self.words
            )
        no, none = np.zeros(1, bool), np.zeros(1, "timedelta64[ns]")
        zoned, offset = np.append(self.zoned, no)[rows], np.append(self.offset, none)[rows]
        return Stamps(instant, zoned, offset, np.append(self.plain, no)[rows], self.words)


def naive(instant: Dates, words: list[str] | None = None) -> Stamps:
    """Return stamps without a zone; if all are at midnight they are plain dates."""
    count = len(instant)
    midnight = (instant == instant.astype("datetime64[D]")) | np.isnat(instant)
    plain = ~np.isnat(instant) & bool(midnight.all())
    return Stamps(instant, np.zeros(count, bool), np.zeros(count, "timedelta64[ns]"), plain, words or [])


def parse_stamps(values: pd.Series, place: str, date_format: str | None = None) -> Stamps:
    """Return the stamps of a column of text, dates, zoned times or numbers, in any common notation.

    Raises
    ------
    DataError
        Values fit two notations, or a zone has no known meaning.
    """
    if isinstance(values.dtype, pd.ArrowDtype):
        values = _of_arrow(values, values.dtype.pyarrow_dtype)
    if isinstance(values.dtype, pd.PeriodDtype):
        values = values.dt.to_timestamp()
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        instant = in_range(values.dt.tz_convert("UTC").dt.tz_localize(None))
        wall = in_range(values.dt.tz_localize(None))
        offset = np.where(np.isnat(instant), np.timedelta64(0, "ns"), wall - instant)
        return Stamps(instant, ~np.isnat(instant), offset, np.zeros(len(values), bool), [f"zone {values.dt.tz}"])
    if values.dtype.kind == "M":
        return naive(in_range(values))
    if pd.api.types.is_numeric_dtype(values.dtype) and date_format is None:
        exact = values.dtype.kind in "iu"
        numbers = values.to_numpy() if exact else values.to_numpy(dtype=np.float64, na_value=np.nan)
        return _of_numbers(numbers, place)
    if not isinstance(values.dtype, pd.StringDtype):
        values = values.astype(str).where(values.notna())
    codes, uniques = pd.factorize(values)
    text = pd.Series(uniques, dtype=str)
    return _of_text(text, place, date_format).take(codes)


def parse_times(values: pd.Series) -> npt.NDArray[np.timedelta64] | None:
    """Return times of day, ``timedelta64[ns]`` of shape (N,), NaT for other texts; None if they are whole stamps.

    Digits are ``HHMM`` if none exceeds 2359, else ``HHMMSS``.
    """
    if values.dtype.kind == "M" or isinstance(values.dtype, pd.DatetimeTZDtype):
        return None
    if values.dtype.kind == "m":
        return values.to_numpy("timedelta64[ns]")
    codes, uniques = pd.factorize(values.astype(str).where(values.notna()))
    text = pd.Series(uniques, dtype=str).str.strip().str.replace(r"^(\d+)\.0$", r"\1", regex=True)
    digits = text.str.fullmatch(r"\d+").to_numpy(bool)
    out = np.full(len(text) + 1, np.timedelta64("NaT"), "timedelta64[ns]")
    if digits.any():
        numbers = text[digits].astype(np.uint64).to_numpy()
        if (numbers >= 240_000).any():
            return None
        if not (text[digits].str.len() > 4).any():
            numbers = numbers * np.uint64(100)
        clock = numbers.astype(np.int64)
        hour, minute, second = clock // 10_000, clock // 100 % 100, clock % 100
        seconds = (hour * 60 + minute) * 60 + second
        valid = (minute < 60) & (second < 60)
        out[:-1][digits] = np.where(valid, seconds.astype("timedelta64[s]"), np.timedelta64("NaT"))
    if not digits.all():
        rest = text[~digits].str.replace(r"^T|(?<=\d)Z$", "", regex=True)
        times = parse_clock(rest)
        if np.isnat(times).mean() > 0.5 and not np.isnat(parse_stamps(rest, "the time column").instant).all():
            return None
        out[:-1][~digits] = times
    return out[codes]


def _of_numbers(numbers: npt.NDArray[np.generic], place: str, six_digits: bool = False) -> Stamps:
    instant, zoned, words = parse_time_numbers(numbers, place, six_digits=six_digits)
    midnight = ~zoned & (instant == instant.astype("datetime64[D]"))
    plain = midnight if any("8 digits" in word or "day" in word for word in words) else midnight & bool(midnight.all())
    return Stamps(instant, zoned, np.zeros(len(instant), "timedelta64[ns]"), plain, words)


def _of_text(text: pd.Series, place: str, date_format: str | None) -> Stamps:
    if date_format is None:
        try:
            cast = naive(pa.array(text, from_pandas=True).cast(pa.timestamp("ns")).to_numpy(zero_copy_only=False))
        except pa.ArrowInvalid:
            pass
        else:
            if cast.plain.all():
                return cast
            short = cast.plain | (text.str.len() <= 10).to_numpy(bool)
            return Stamps(cast.instant, cast.zoned, cast.offset, short)
    text = without_json_dates(text.str.strip())
    if date_format is not None:
        parsed = pd.to_datetime(text, format=date_format, errors="coerce", utc="%z" in date_format)
        stamps = naive(in_range(parsed.dt.tz_localize(None) if "%z" in date_format else parsed), [date_format])
        return Stamps(
            stamps.instant, np.full(len(text), "%z" in date_format), stamps.offset, stamps.plain, stamps.words
        )
    count = len(text)
    out = naive(np.full(count, _NAT))
    numeric = text.str.fullmatch(r"[+-]?\d+(?:\.\d+)?").to_numpy(bool)
    if numeric.any():
        digits = text[numeric]
        exact = digits.str.fullmatch(r"[+-]?\d{1,18}").all()
        six = bool((digits.str.len() == 6).all())
        _put(out, numeric, _of_numbers(digits.astype(np.int64 if exact else np.float64).to_numpy(), place, six))
    parts = extracted(text, _ZONED.pattern)
    named = parts["name"].notna() & ~parts["name"].isin(["AM", "PM"])
    with_zone = ((parts["offset"].notna() & parts["wall"].str.contains(":")) | named).to_numpy(bool) & ~numeric
    without = ~with_zone & ~numeric
    text = selected(text, without)  # millions of texts are not kept while others are parsed
    if without.any():
        walls = parse_spelled(text, place)
        stamps = naive(walls)
        dates = ~np.isnat(walls) & (walls == walls.astype("datetime64[D]"))
        has_clock = text.str.contains(r"\d:\d\d|\d[ T]\d{4,6}$").to_numpy(bool)
        _put(out, without, Stamps(walls, stamps.zoned, stamps.offset, ~has_clock & dates))
    if with_zone.any():
        _put(out, with_zone, _of_zoned(selected(parts, with_zone), place))
    return out


def _of_zoned(parts: pd.DataFrame, place: str) -> Stamps:
    walls = parse_spelled(parts.pop("wall").str.strip(), place)
    offsets = parts["offset"].astype("str")
    zones = offsets.where(offsets.notna(), parts["name"].astype("str"))
    offset = np.full(len(walls), np.timedelta64("NaT"), "timedelta64[ns]")
    known = ~np.isnat(walls)
    for zone in zones.unique():
        rows = (zones == zone).to_numpy(bool) & known
        offset[rows] = offset_of(zone, walls[rows])
    instant = np.where(np.isnat(offset), _NAT, walls - offset)
    offset = np.where(np.isnat(offset), np.timedelta64(0, "ns"), offset)
    found = ~np.isnat(instant)
    names = sorted(zones.unique())
    words = [f"zone {', '.join('UTC' if name == 'Z' else name for name in names[:3])}"]
    return Stamps(instant, found, offset, np.zeros(len(walls), bool), words)


def _of_arrow(values: pd.Series, kind: pa.DataType) -> pd.Series:
    """Return timestamps of Arrow as those of pandas; other columns as they are."""
    if not pa.types.is_timestamp(kind):
        return values
    return values.astype("datetime64[ns]" if kind.tz is None else pd.DatetimeTZDtype("ns", kind.tz))


def _put(out: Stamps, rows: Mask, part: Stamps) -> None:
    out.instant[rows], out.zoned[rows], out.offset[rows], out.plain[rows] = (
        part.instant, part.zoned, part.offset, part.plain,
    )  # fmt: skip
    out.words.extend(word for word in part.words if word not in out.words)
