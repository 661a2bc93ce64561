"""Sessions: whether a symbol's stamps are daily bars, and which date each bar's session has.

One bar a day at a steady hour is a session, whatever the zone in which the hour is written. Which date it has follows
from the local date where that is written, else from the weekdays: a bar of Monday in Tokyo is stamped on Sunday, 15:00
UTC, and no other assignment leaves the weekends without bars.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd

from configs.errors import DataError
from features.bars.arrays import Codes, Dates, Mask
from features.bars.reading.times import Stamps, parse_stamps
from features.bars.reading.zones import known_zone, to_utc

_DAY = np.timedelta64(1, "D")
_A_MONDAY = np.datetime64("1970-01-05", "D")
_MIN_BARS = 5  # fewer stamps that are not at midnight do not show that a series is daily
_SHORTEST_DAY = np.timedelta64(20, "h")
_DAILY_SHARE = 0.95  # of the steps from bar to bar are at least so long
_STEADY = np.timedelta64(65, "m")  # from the most frequent time of day: summer time moves it by an hour
_STEADY_SHARE = 0.9
_LAST_MINUTE = np.timedelta64(23 * 60 + 58, "m")  # 23:59:59 is the end of the date's own day
_NOON = np.timedelta64(12, "h")
_FAR_EAST = np.timedelta64(10, "h")  # UTC: no zone's midnight is earlier on the day before
_EVENING = np.timedelta64(16, "h")  # an exchange's next session may begin from here on: currencies, futures
_SYDNEY, _ASIA = np.timedelta64(13, "h"), np.timedelta64(17, "h")  # UTC of the first midnight there
_MINUTE, _HALF_HOUR, _HOUR = (np.timedelta64(minutes, "m") for minutes in (1, 30, 60))
_MARGIN = 0.1  # shares of bars on weekends that differ by less are equal


@dataclass(frozen=True, slots=True)
class SessionDates:
    """Midnight of each bar's session, or UTC for intraday bars; which bars' session is not over; what was decided."""

    dates: Dates
    unfinished: Mask
    lines: list[str]


def parse_dates(values: pd.Series, place: str = "the frame") -> Dates:
    """Return the dates of one series of bars, ``datetime64[ns]`` of shape (N,), NaT where a value is not a date."""
    stamps = parse_stamps(values, place)
    return session_dates(stamps, np.zeros(len(values), np.int64), place).dates


def session_dates(
    stamps: Stamps, codes: Codes, place: str, timezone: str | None = None, period: str | None = None
) -> SessionDates:
    """Return the dates of N bars of the symbols ``codes``.

    Parameters
    ----------
    timezone
        The zone of stamps without one, and of the sessions of UTC stamps.
    period
        Of a bar (``1d``, ``1h``), which otherwise follows from the stamps.

    Raises
    ------
    DataError
        Stamps with and without a zone are mixed, or two assignments of dates fit.
    """
    known = ~np.isnat(stamps.instant)
    unfinished = np.zeros(len(codes), bool)
    if not stamps.zoned.any() and (stamps.plain | ~known).all():
        return SessionDates(stamps.instant, unfinished, [])
    _refuse_mixed(stamps, known, place)
    if timezone is not None:
        stamps = _in_zone(stamps, timezone)
    dates, lines = stamps.instant.copy(), Counter[str]()
    order = np.argsort(codes, kind="stable")
    bounds = np.flatnonzero(np.diff(codes[order], prepend=-1, append=-1))
    cache: dict[bytes, tuple[Dates, Mask, str]] = {}
    for first, last in pairwise(bounds):
        rows = order[first:last]
        rows = rows[known[rows]]
        if not len(rows):
            continue
        key = _key(stamps, rows)
        if key not in cache:
            cache[key] = _of_symbol(stamps.take(rows), place, timezone is not None, period)
        dates[rows], unfinished[rows], line = cache[key]
        lines[line] += 1
    return SessionDates(dates, unfinished, [line for line, _ in lines.most_common() if line])


def _key(stamps: Stamps, rows: npt.NDArray[np.intp]) -> bytes:
    digest = hashlib.blake2b(stamps.plain[rows].data)
    digest.update(stamps.instant[rows].view(np.int64).data)
    digest.update(stamps.offset[rows].view(np.int64).data)
    return digest.digest()


def _refuse_mixed(stamps: Stamps, known: Mask, place: str) -> None:
    clock = known & ~stamps.zoned & ~stamps.plain
    if stamps.zoned.any() and clock.any():
        zoned, naive = (str(stamps.instant[np.argmax(rows)])[:16] for rows in (stamps.zoned, clock))
        raise DataError(
            f"{place} mixes times with a zone ({zoned} UTC) and without ({naive}). Give all of them an offset, or none."
        )


def _in_zone(stamps: Stamps, timezone: str) -> Stamps:
    instant = stamps.instant.copy()
    clock = ~stamps.zoned & ~stamps.plain & ~np.isnat(instant)
    instant[clock] = to_utc(instant[clock], timezone)
    zoned = (stamps.zoned | clock) & ~np.isnat(instant)
    local = pd.DatetimeIndex(instant).tz_localize("UTC").tz_convert(known_zone(timezone)).tz_localize(None)
    offset = np.where(zoned, local.to_numpy("datetime64[ns]") - instant, np.timedelta64(0, "ns"))
    return Stamps(instant, zoned, offset, stamps.plain, stamps.words)


def _of_symbol(stamps: Stamps, place: str, in_zone: bool, period: str | None) -> tuple[Dates, Mask, str]:
    """Return the dates of one symbol's N known stamps, which bars are not over, and a line."""
    count, wall, none = len(stamps.instant), stamps.wall, np.zeros(len(stamps.instant), bool)
    days = wall.astype("datetime64[D]")
    midnight = days == wall
    if midnight.all():
        line = "times: local midnight, session dates" if stamps.zoned.any() and stamps.offset.any() else ""
        return wall, none, line
    if period is not None and period[-1] not in "dwo":
        return stamps.instant, none, f"times: UTC, bars of {period}"
    odd = ~midnight
    if midnight.mean() >= _DAILY_SHARE or stamps.plain.any():
        if odd.sum() > max(1, 0.02 * count):
            first = str(stamps.instant[np.argmax(odd)])[:16]
            raise DataError(
                f"{place} mixes dates and times of day (first: {first}, {int(odd.sum())} of {count}). "
                "Import daily and intraday bars separately, or give --period."
            )
        # Midnight of London in summer is 23:00 UTC of the day before.
        early = odd & stamps.zoned & (wall - days >= _DAY - _STEADY)
        days = np.where(early, days + _DAY, days)
        return days.astype("datetime64[ns]"), _unfinished(wall, days, odd & ~early), "times: session dates"
    daily = period is not None or _is_daily(stamps.instant)
    local = bool(stamps.offset.any()) or in_zone or not stamps.zoned.any()
    clock = wall if local else stamps.instant
    usual, near = _usual_time(clock)
    if not daily or (near.mean() < _STEADY_SHARE and period is None):
        return stamps.instant, none, "times: intraday, UTC" if stamps.zoned.any() else "times: intraday"
    if (
        local and near.mean() < 1.0
    ):  # offsets that change without the hour: the zone of the stamps is not the exchange's
        other, near_utc = _usual_time(stamps.instant)
        if near_utc.mean() > near.mean():
            clock, usual, near, local = stamps.instant, other, near_utc, False
    assigned = (clock - usual + _NOON).astype("datetime64[D]")
    moves = bool((np.abs(clock - clock.astype("datetime64[D]") - usual) > _MINUTE).any())
    shift = _shift(assigned, usual, local, moves, place)
    hour = f"{pd.Timedelta(usual).components.hours:02}:{pd.Timedelta(usual).components.minutes:02}"
    line = f"times: one bar a day at {hour} {'local time' if local else 'UTC'}, session dates"
    line += {0: "", 1: " of the next day", -1: " of the day before"}[shift]
    assigned = assigned + shift
    return assigned.astype("datetime64[ns]"), _unfinished(clock, assigned, ~near & ~midnight), line


def _is_daily(instant: Dates) -> bool:
    in_order = np.unique(instant)
    return len(in_order) >= _MIN_BARS and bool((np.diff(in_order) >= _SHORTEST_DAY).mean() >= _DAILY_SHARE)


def _usual_time(clock: Dates) -> tuple[np.timedelta64, Mask]:
    """Return the most frequent time of day, and which bars are within an hour of it (around midnight too)."""
    times = (clock - clock.astype("datetime64[D]")).astype("timedelta64[ns]")
    values, counts = np.unique(times.astype("timedelta64[m]"), return_counts=True)
    usual = values[np.argmax(counts)].astype("timedelta64[ns]")
    distance = np.abs(times - usual)
    return usual, np.minimum(distance, _DAY.astype("timedelta64[ns]") - distance) <= _STEADY


def _shift(assigned: Dates, usual: np.timedelta64, local: bool, moves: bool, place: str) -> int:
    """Return the days from the date of the usual time to the session's date: 0, or 1 for a session that begins before.

    ``moves`` says that the time is not the same all year. UTC before 13:00 is a midnight in New Zealand, which has
    summer time, and the close of exchanges from Sunday to Thursday, which do not.

    Raises
    ------
    DataError
        The stamps are UTC in the afternoon, and both dates leave the weekends without bars, or neither does.
    """
    if usual >= _LAST_MINUTE or usual < (_EVENING if local else _FAR_EAST):
        return 0
    if not local and not _may_be_midnight(usual):
        return 0
    own, following = (float(np.mean(~np.is_busday(assigned + days))) for days in (0, 1))
    later = following < own - _MARGIN and _closed_on_weekends(assigned + 1)
    if later and (local or moves or usual >= _SYDNEY):
        return 1
    if local or (usual < _NOON and not later) or (own < following - _MARGIN and _closed_on_weekends(assigned)):
        return 0
    hour = str(pd.Timedelta(usual).components.hours)
    raise DataError(
        f"{place} has one bar a day at {hour}:00 UTC, which may be of that date or of the next (midnight in the east). "
        "Say where the day begins: --timezone UTC, or such as --timezone Asia/Tokyo"
    )


def _may_be_midnight(usual: np.timedelta64) -> bool:
    """Whether a time of UTC is that of a midnight, or of an evening's opening: zones with half hours are in Asia."""
    return bool(usual % _HOUR == 0 or (usual % _HALF_HOUR == 0 and usual >= _ASIA))


def _closed_on_weekends(days: Dates) -> bool:
    """Whether hardly a bar is on a weekend, though there was one: a missing bar of an open market proves nothing."""
    weekday = np.is_busday(days)
    weeks = (days[weekday] - _A_MONDAY) // (7 * _DAY)
    return bool(np.unique(weeks).size > 1 and np.mean(~weekday) <= _MARGIN)


def _unfinished(clock: Dates, days: Dates, odd: Mask) -> Mask:
    """Return the newest bar, if its time of day shows that its session is not over."""
    out = np.zeros(len(clock), bool)
    newest = int(np.argmax(clock))
    out[newest] = odd[newest] and bool((days < days[newest]).any())
    return out
