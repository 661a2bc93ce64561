"""Finds a symbol's schedule from the dates of its bars."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from features.bars.arrays import Dates
from features.bars.by_content import ByContent
from features.bars.period import bar_period
from features.bars.schedule import (
    MONDAY,
    WEEK_MINUTES,
    BarSchedule,
    HoursOfWeek,
    Months,
    Period,
    Sessions,
    TradingWeekdays,
)
from features.bars.sessions import ALWAYS, EXCHANGES, WEEKDAYS, sessions_between

_RECENT_BARS = 783  # three years of sessions: Christmas and New Year can fall on weekends in two years running
_RECENT_DAYS = np.timedelta64(56, "D")  # of intraday bars: eight weeks, so that one holiday closes no hour of the week
_STAMPED_SHARE = 0.05  # a daily series may have up to this share of stamps other than midnight
_MIN_PERIOD_DAYS = 4  # bars that are usually further apart are weekly, monthly or rarer
_LONGER_THAN_DAILY = np.timedelta64(36, "h")  # a day is up to 25 hours where the clocks change
_WEEKEND_SHARE = 0.05
_GOOD_FIT, _FIT = 0.01, 0.05  # shares of days that differ from a calendar: no other can be meant; it is no calendar
_EXACT_DAYS = 262  # a year: every holiday was seen, so the next days are known as well
_OPEN_SHARE = 0.25  # a weekday with this share of the bars of the commonest one is a trading day
_MIN_DAYS = 20  # fewer days fit any calendar
_FIRST_DAY = np.datetime64("1990-01-01")  # older bars are not worth the time that exchanges' old calendars take
_REGULAR = 0.95  # share of steps that are equal in a series whose next stamps are known, or of months without a hole


def schedule_of(dates: Dates) -> BarSchedule:
    """Return the schedule of a symbol's bars.

    Parameters
    ----------
    dates
        ``datetime64[ns]`` (N,), sorted, N ≥ 1: midnight for sessions, UTC stamps for intraday bars.
    """
    return _known_schedule(dates[-_RECENT_BARS:]) or _hours_of_week(dates)


def _of_recent(recent: Dates) -> BarSchedule | None:
    """Return the schedule of these dates; None if they are intraday."""
    stamped = np.count_nonzero(recent.astype("datetime64[D]") != recent) > _STAMPED_SHARE * len(recent)
    if stamped and (len(recent) == 1 or np.median(np.diff(recent).astype(np.int64)) < _ns(_LONGER_THAN_DAILY)):
        return None
    return _daily(np.unique(recent.astype("datetime64[D]")))


_known_schedule = ByContent(_of_recent, most=8192)


def _daily(days: Dates) -> BarSchedule:
    steps = np.diff(days).astype(np.int64)
    usual = int(np.median(steps)) if len(steps) else 1
    if usual >= _MIN_PERIOD_DAYS or bar_period(days.astype("datetime64[ns]")).name.endswith("-day"):
        return _rarer(days, usual)
    weekday = (days.astype(np.int64) + 3) % 7
    names: Iterable[str] = (WEEKDAYS, *EXCHANGES)
    if np.count_nonzero(weekday >= 5) > _WEEKEND_SHARE * len(days):
        names = (ALWAYS,)
    best, fewest = WEEKDAYS, len(days) + 1
    can_fit = len(days) >= _MIN_DAYS and days[0] >= _FIRST_DAY
    for name in names if can_fit else ():  # each calendar of an exchange takes a tenth of a second, once
        closed, holes = _misfit(name, days)
        if closed + holes < fewest:
            best, fewest = name, closed + holes
        if not fewest or (name != WEEKDAYS and not closed and holes <= _GOOD_FIT * len(days)):
            break
    if fewest <= _FIT * len(days):
        return Sessions(best, _is_exact(best, days))
    counts = np.bincount(weekday, minlength=7)
    return TradingWeekdays(tuple((counts >= _OPEN_SHARE * counts.max()).tolist()))


def _misfit(name: str, days: Dates) -> tuple[int, int]:
    """Return the number of days on which the calendar is closed, and of its sessions that are missing."""
    sessions = sessions_between(name, days[0], days[-1])
    common = len(np.intersect1d(days, sessions, assume_unique=True))
    return len(days) - common, len(sessions) - common


def _is_exact(name: str, days: Dates) -> bool:
    """Return whether the last bars came on every session and on no other day, so that the next will too.

    A hole may be a holiday that this calendar does not have. Around the clock there are none, and that weekdays have
    none shows only after years with a Christmas on one.
    """
    needed = _RECENT_BARS if name == WEEKDAYS else _EXACT_DAYS
    return name == ALWAYS or (len(days) >= needed and _misfit(name, days[-needed:]) == (0, 0))


def _rarer(days: Dates, usual: int) -> BarSchedule:
    """Return the schedule of bars that are usually more than a day apart."""
    steps, months = np.diff(days).astype(np.int64), np.diff(days.astype("datetime64[M]")).astype(np.int64)
    count = int(np.median(months))
    if count and steps.min() != steps.max() and np.count_nonzero(months == count) >= _REGULAR * len(months):
        return Months(count)
    return Period(usual)


def _hours_of_week(dates: Dates) -> HoursOfWeek:
    recent = dates[dates > dates[-1] - _RECENT_DAYS]
    minutes = (recent.astype("datetime64[m]") - MONDAY).astype(np.int64)
    steps: npt.NDArray[np.int64] = np.diff(recent.astype("datetime64[ns]")).astype(np.int64)
    usual = int(np.median(steps)) if len(steps) else _ns(np.timedelta64(1, "D"))
    starts, counts = np.unique(minutes % WEEK_MINUTES, return_counts=True)
    regular = len(steps) > 0 and np.count_nonzero(steps == usual) >= _REGULAR * len(steps)
    return HoursOfWeek(tuple(starts[counts >= 0.5 * counts.max()].tolist()), usual / 1e9, bool(regular))


def _ns(step: np.timedelta64) -> int:
    return int(step.astype("timedelta64[ns]").astype(np.int64))
