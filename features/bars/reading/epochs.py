"""Dates as numbers: packed digits, Excel's day numbers, and seconds to nanoseconds since 1970, decided per value."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from configs.errors import DataError
from features.bars.arrays import Dates, Mask
from features.bars.reading.day_numbers import dates_of_day_numbers

_NAT = np.datetime64("NaT", "ns")
_DATENUM_EPOCH = 719_529  # MATLAB's day number of 1970-01-01
# Unit → the smallest plausible number (1973) and nanoseconds; each is plausible up to 2106.
_UNITS = (
    ("seconds", 1e8, 10**9),
    ("milliseconds", 1e11, 10**6),
    ("microseconds", 1e14, 10**3),
    ("nanoseconds", 1e17, 1),
)
_MONTHS = 12
_TICKS_1970, _TICKS_2070 = 621_355_968_000_000_000, 652_919_616_000_000_000
_LIMIT = 42.95  # times the smallest plausible number
# Digits → the number by which the date is multiplied.
_PACKED = ((8, 10**0), (10, 10**2), (12, 10**4), (14, 10**6), (17, 10**9))


def parse_time_numbers(
    numbers: npt.NDArray[Any], place: str, *, six_digits: bool = False
) -> tuple[Dates, Mask, list[str]]:
    """Return ``datetime64[ns]`` (N,), which of them are UTC, and what the numbers are, in words.

    Packed digits (``YYYYMMDD``, also with ``HH``, ``HHMM``, ``HHMMSS`` and milliseconds) come before epochs, whose
    unit is that of each value: the ranges of units do not overlap after 1973. Earlier ones have the column's unit.
    ``six_digits`` says that all are written with six digits, of which the first may be 0.

    Raises
    ------
    DataError
        Six digits fit several orders of year, month and day.
    """
    out, utc, words = np.full(len(numbers), _NAT), np.zeros(len(numbers), bool), []
    with np.errstate(invalid="ignore"):
        todo = np.isfinite(numbers)
        whole = todo & (numbers == np.floor(numbers))
    for digits, scale in _PACKED:
        rows = np.flatnonzero(whole & todo & (numbers >= 19_000_101 * scale) & (numbers < 21_010_000 * scale))
        dates = _unpacked(numbers[rows].astype(np.int64), scale)
        good = ~np.isnat(dates)
        if good.any():
            out[rows[good]], todo[rows[good]] = dates[good], False
            words.append(f"packed, {digits} digits")
    unit = None
    if _are_ticks(numbers, todo):
        out[todo] = (numbers[todo].astype(np.int64) - _TICKS_1970) * 100 + np.datetime64(0, "ns")
        todo[:] = False
        words.append(".NET's ticks of 100 ns")
    for name, smallest, nanoseconds in _UNITS:
        rows = np.flatnonzero(todo & (numbers >= smallest) & (numbers < smallest * _LIMIT))
        if len(rows):
            out[rows], utc[rows], todo[rows] = _since_1970(numbers[rows], nanoseconds), True, False
            words.append(f"epoch {name}")
            unit = max(unit or (0, 0), (len(rows), nanoseconds))
    six = whole & todo & (numbers >= 101) & (numbers < 1e6)
    if unit is None and six.any() and six.sum() == todo.sum():
        out[six], name = _six_digits(numbers[six].astype(np.int64), place, six_digits)
        todo &= ~six
        words.append(name)
    day = todo & (numbers >= 1e4) & (numbers < 1e5)
    if day.any() and unit is None:
        out[day], name = dates_of_day_numbers(numbers[day])
        todo &= ~day
        words.append(name)
    if unit is None and todo.any() and _are_days_of_years(numbers[todo]):
        year, number = np.divmod(numbers[todo].astype(np.int64), 1000)
        out[todo] = _calendar_days(year, np.ones_like(year), np.ones_like(year)) + (number - 1).astype("timedelta64[D]")
        todo[:] = False
        words.append("year and day of the year")
    if todo.any() and (unit is not None or bool((np.abs(numbers[todo]) >= 1e6).all())):
        nanoseconds = 10**9 if unit is None else unit[1]
        rows = np.flatnonzero(todo & (np.abs(numbers) < 4.2e18 / nanoseconds))
        out[rows], utc[rows] = _since_1970(numbers[rows], nanoseconds), True
        if unit is None:
            words.append("epoch seconds")
    return out, utc, words


def _are_ticks(numbers: npt.NDArray[Any], todo: Mask) -> bool:
    """Whether all numbers are ticks since the year 1: as nanoseconds, a day's bars are a quarter of an hour apart."""
    given = np.unique(numbers[todo])
    inside = len(given) > 1 and given[0] > _TICKS_1970 and given[-1] < _TICKS_2070
    return bool(inside and np.median(np.diff(given.astype(np.float64))) < 3.6e12 and given[0] % 10_000_000 == 0)


def _are_days_of_years(numbers: npt.NDArray[Any]) -> bool:
    """Whether all numbers are ``YYYYDDD``: seconds since 1970 would be a few days, with a bar every second."""
    day = numbers % 1000
    inside = (numbers >= 1_900_001) & (numbers < 2_101_000) & (day >= 1) & (day <= 366)
    return bool(inside.all() and (numbers == np.floor(numbers)).all() and np.ptp(np.sort(numbers)[:3]) < 1000)


def _since_1970(numbers: npt.NDArray[Any], nanoseconds: int) -> Dates:
    if numbers.dtype.kind in "iu":
        whole = numbers.astype(np.int64) * nanoseconds
        return np.asarray(whole + np.datetime64(0, "ns"))
    seconds = np.floor(numbers / (10**9 // nanoseconds))  # a float64 of nanoseconds has no exact seconds' fraction
    rest = np.round((numbers - seconds * (10**9 // nanoseconds)) * nanoseconds)
    whole = seconds.astype(np.int64) * 10**9 + rest.astype(np.int64)
    return np.asarray(whole + np.datetime64(0, "ns"))


def _unpacked(numbers: npt.NDArray[np.int64], scale: int) -> Dates:
    day, clock = np.divmod(numbers, scale)
    width = len(str(scale)) - 1
    clock = clock * 10 ** (9 - width)  # HHMMSSmmm
    hour, minute, second = clock // 10**7, clock // 10**5 % 100, clock // 10**3 % 100
    dates = _calendar_days(day // 10_000, day // 100 % 100, day % 100)
    valid = (hour < 24) & (minute < 60) & (second < 60)
    milliseconds = ((hour * 60 + minute) * 60 + second) * 1000 + clock % 1000
    return np.where(valid, dates + milliseconds.astype("timedelta64[ms]"), _NAT)


def _calendar_days(year: npt.NDArray[np.int64], month: npt.NDArray[np.int64], day: npt.NDArray[np.int64]) -> Dates:
    months = (year - 1970).astype("datetime64[Y]").astype("datetime64[M]") + (month - 1)
    dates = months.astype("datetime64[D]") + (day - 1)
    valid = (month >= 1) & (month <= 12) & (day >= 1) & (dates.astype("datetime64[M]") == months)
    valid &= (year >= 1700) & (year < 2200)
    return np.where(valid, dates, np.datetime64("NaT")).astype("datetime64[ns]")


def _six_digits(numbers: npt.NDArray[np.int64], place: str, written: bool) -> tuple[Dates, str]:
    """Return the dates of up to six digits: ``YYYYMM``, ``yymmdd``, ``ddmmyy``, ``mmddyy``, or day numbers.

    A wrong order scatters a series over decades and over weekends, which tells the order in any order of rows.
    """
    first, second, third = numbers // 10_000, numbers // 100 % 100, numbers % 100
    readings = {"%Y%m": _calendar_days(numbers // 100, third, np.ones_like(third))}
    for name, (year, month, day) in {
        "%y%m%d": (first, second, third),
        "%d%m%y": (third, second, first),
        "%m%d%y": (third, first, second),
    }.items():
        readings[name] = _calendar_days(np.where(year < 69, 2000, 1900) + year, month, day)
    if (numbers >= 1e5).all():
        readings["MATLAB's day numbers"] = (numbers - _DATENUM_EPOCH + np.datetime64(0, "D")).astype("datetime64[ns]")
    elif not written and (numbers < 1e5).all():
        dates, name = dates_of_day_numbers(numbers)
        readings[name] = dates
    spans = {}
    for name, dates in readings.items():
        known = dates[~np.isnat(dates)]
        distinct = np.unique(known).astype("datetime64[D]")
        plausible = name[0] == "%" or bool(
            ((distinct > np.datetime64("1927")) & (distinct < np.datetime64("2100"))).all()
        )
        if len(known) >= 0.99 * len(numbers) and plausible and len(distinct):
            span = float((distinct[-1] - distinct[0]).astype(np.int64)) + 1.0
            spans[name] = span * (1.0 + 5.0 * float(np.mean(~np.is_busday(distinct))))
    if not spans:
        return np.full(len(numbers), _NAT), "six digits"
    best, *others = sorted(spans, key=lambda name: spans[name])[:2]
    months = "%Y%m" in spans and len(np.unique(numbers)) > _MONTHS
    if months:  # days of daily bars do not all lie in the first twelve of a month
        best, others = "%Y%m", []
    if others and ("%Y%m" in spans or spans[others[0]] < 3.0 * spans[best]):
        others = ["%Y%m"] if "%Y%m" in spans and best != "%Y%m" else others
        raise DataError(
            f"{place} has dates such as {int(numbers[0]):06d}, which may be {best} or {others[0]}. Say which it is: "
            f"--date-format {best}"
        )
    return readings[best], f"six digits, {best}" if best[0] == "%" else best
