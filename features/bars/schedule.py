"""When a symbol's bars come: its trading days, hours or period, found from its dates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np

from features.bars.arrays import Dates
from features.bars.sessions import ALWAYS, EXCHANGES, WEEKDAYS, sessions_between

_RECENT_BARS = 520  # two years of sessions
_RECENT_DAYS = np.timedelta64(56, "D")  # of intraday bars: eight weeks, so that one holiday closes no hour of the week
_STAMPED_SHARE = 0.05  # a daily series may have up to this share of stamps other than midnight
_MIN_PERIOD_DAYS = 4  # bars that are usually further apart are weekly, monthly or rarer
_WEEKEND_SHARE = 0.05
_GOOD_FIT, _FIT = (
    0.01,
    0.05,
)  # shares of days on which bars and calendar differ: other calendars need no look; no calendar
_OPEN_SHARE = 0.25  # a weekday with this share of the bars of the commonest one is a trading day
_MIN_DAYS = 20  # fewer days fit any calendar
_FIRST_DAY = np.datetime64("1990-01-01")  # older bars are not worth the time that exchanges' old calendars take
_UNKNOWN_DAYS = 14  # longer holidays do not exist: the calendar does not know this year
_DAY, _WEEK_MINUTES = np.timedelta64(1, "D"), 7 * 1440
_MONDAY = np.datetime64("1970-01-05", "m")

LATE_BARS = 3
"""Bars of a daily or intraday series that may be missing before it counts as stale."""


class BarSchedule(Protocol):
    """When the bars of a symbol come; hashable, so symbols can be grouped by it."""

    def __hash__(self) -> int:
        """Return a hash of the schedule."""
        ...

    @property
    def allowed(self) -> int:
        """The number of bars that may be missing before the series is stale."""
        ...

    def unit(self, count: int) -> str:
        """Return what ``count`` bars are, in words: ``sessions of XNYS``, ``days``, ``bars of 60 minutes``."""
        ...

    def missing(self, last: np.datetime64, now: np.datetime64) -> int:
        """Return the number of complete bars that are due after the bar ``last`` and by ``now`` (UTC)."""
        ...

    def following(self, last: np.datetime64, count: int) -> Dates | None:
        """Return the dates of the next ``count`` bars, ``datetime64[ns]``; None where they are not known."""
        ...


@dataclass(frozen=True, slots=True)
class Sessions:
    """Daily bars on the sessions of a calendar: an exchange's, ``24/5`` or ``24/7``."""

    calendar: str

    @property
    def allowed(self) -> int:
        """Three sessions."""
        return LATE_BARS

    def unit(self, count: int) -> str:
        """Return ``sessions of XNYS``, ``weekdays`` or ``days``."""
        name = {WEEKDAYS: "weekday", ALWAYS: "day"}.get(self.calendar, "session")
        return name + "s" * (count != 1) + (f" of {self.calendar}" if name == "session" else "")

    def missing(self, last: np.datetime64, now: np.datetime64) -> int:
        """Return the sessions after the day of ``last`` and before today; weekdays where holidays are not known."""
        return _count_sessions(self.calendar, _day(last) + _DAY, _day(now) - _DAY)

    def following(self, last: np.datetime64, count: int) -> Dates | None:
        """Return the next sessions; None beyond the years whose holidays are known."""
        first = _day(last) + _DAY
        sessions = sessions_between(self.calendar, first, first + 2 * count + _UNKNOWN_DAYS)[:count]
        return sessions.astype("datetime64[ns]") if len(sessions) == count else None


@dataclass(frozen=True, slots=True)
class TradingWeekdays:
    """Daily bars on some weekdays, with holidays that no calendar here has; ``open_days`` are 7, from Monday."""

    open_days: tuple[bool, ...]

    @property
    def allowed(self) -> int:
        """Three days."""
        return LATE_BARS

    def unit(self, count: int) -> str:
        """Return ``trading days``."""
        return "trading day" + "s" * (count != 1)

    def missing(self, last: np.datetime64, now: np.datetime64) -> int:
        """Return the days of these weekdays after ``last`` and before today."""
        return max(0, int(np.busday_count(_day(last) + _DAY, _day(now), weekmask=list(self.open_days))))

    def following(self, last: np.datetime64, count: int) -> Dates | None:
        """Return None: a holiday may come next."""
        return None


@dataclass(frozen=True, slots=True)
class Period:
    """Weekly, monthly or rarer bars, ``days`` apart."""

    days: int

    @property
    def allowed(self) -> int:
        """One bar."""
        return 1

    def unit(self, count: int) -> str:
        """Return ``bars of 7 days``."""
        return "bar" + "s" * (count != 1) + f" of {self.days} days"

    def missing(self, last: np.datetime64, now: np.datetime64) -> int:
        """Return the periods since the one that ``last`` may have begun."""
        return max(0, int((_day(now) - _day(last)) / _DAY) // self.days - 1)

    def following(self, last: np.datetime64, count: int) -> Dates | None:
        """Return None: months differ in length, and holidays move the stamps of weeks."""
        return None


@dataclass(frozen=True, slots=True)
class HoursOfWeek:
    """Stamped bars, ``minutes`` apart, at the ``starts`` of a week (minutes since Monday 0:00 UTC)."""

    starts: tuple[int, ...]
    minutes: int

    @property
    def allowed(self) -> int:
        """Three bars, and a day of bars where the market closes: it may be a holiday."""
        days = len({start // 1440 for start in self.starts})
        return LATE_BARS + (0 if self._round_the_clock else -(-len(self.starts) // days))

    @property
    def _round_the_clock(self) -> bool:
        return len(self.starts) * self.minutes >= 0.95 * _WEEK_MINUTES

    def unit(self, count: int) -> str:
        """Return ``bars of 60 minutes``."""
        return "bar" + "s" * (count != 1) + f" of {self.minutes} minute" + "s" * (self.minutes != 1)

    def missing(self, last: np.datetime64, now: np.datetime64) -> int:
        """Return the starts after ``last`` whose bars are complete."""
        return max(0, self._until(_minute(now) - self.minutes) - self._until(_minute(last)))

    def following(self, last: np.datetime64, count: int) -> Dates | None:
        """Return the next stamps of a series around the clock; None for others, whose hours change with the clocks."""
        if not self._round_the_clock:
            return None
        dates: Dates = last.astype("datetime64[ns]") + np.arange(1, count + 1) * np.timedelta64(self.minutes, "m")
        return dates

    def _until(self, minute: int) -> int:
        """Return the number of starts since a fixed Monday, up to this minute."""
        weeks, rest = divmod(minute, _WEEK_MINUTES)
        return weeks * len(self.starts) + int(np.searchsorted(self.starts, rest, side="right"))


def schedule_of(dates: Dates) -> BarSchedule:
    """Return the schedule of a symbol's bars.

    Parameters
    ----------
    dates
        ``datetime64[ns]`` (N,), sorted, N ≥ 1: midnight for sessions, UTC stamps for intraday bars.
    """
    recent = dates[-_RECENT_BARS:]
    if np.count_nonzero(recent.astype("datetime64[D]") != recent) > _STAMPED_SHARE * len(recent):
        return _hours_of_week(dates)
    return _daily(np.unique(recent.astype("datetime64[D]")).tobytes())


@lru_cache(maxsize=1024)
def _count_sessions(calendar: str, first: np.datetime64, end: np.datetime64) -> int:
    if end < first:
        return 0
    sessions = sessions_between(calendar, first, end)
    known = sessions[-1] if len(sessions) else first - _DAY
    if (end - known) / _DAY > _UNKNOWN_DAYS:
        return len(sessions) + int(np.busday_count(known + _DAY, end + _DAY))
    return len(sessions)


@lru_cache(maxsize=8192)
def _daily(content: bytes) -> BarSchedule:
    days = np.frombuffer(content, "datetime64[D]")
    steps = np.diff(days).astype(np.int64)
    if len(steps) and (usual := int(np.median(steps))) >= _MIN_PERIOD_DAYS:
        return Period(usual)
    weekday = (days.astype(np.int64) + 3) % 7
    names: Iterable[str] = (WEEKDAYS, *EXCHANGES)
    if np.count_nonzero(weekday >= 5) > _WEEKEND_SHARE * len(days):
        names = (ALWAYS,)
    best, fewest = WEEKDAYS, len(days) + 1
    can_fit = len(days) >= _MIN_DAYS and days[0] >= _FIRST_DAY
    for name in names if can_fit else ():  # each calendar of an exchange takes a tenth of a second, once
        misfit = len(np.setxor1d(days, sessions_between(name, days[0], days[-1]), assume_unique=True))
        if misfit < fewest:
            best, fewest = name, misfit
        if not fewest or (name != WEEKDAYS and fewest <= _GOOD_FIT * len(days)):
            break
    if fewest <= _FIT * len(days):
        return Sessions(best)
    counts = np.bincount(weekday, minlength=7)
    return TradingWeekdays(tuple((counts >= _OPEN_SHARE * counts.max()).tolist()))


def _hours_of_week(dates: Dates) -> HoursOfWeek:
    recent = dates[dates > dates[-1] - _RECENT_DAYS]
    minutes = (recent.astype("datetime64[m]") - _MONDAY).astype(np.int64)
    period = max(1, int(np.median(np.diff(minutes)))) if len(minutes) > 1 else 1440
    starts, counts = np.unique(minutes % _WEEK_MINUTES, return_counts=True)
    return HoursOfWeek(tuple(starts[counts >= 0.5 * counts.max()].tolist()), period)


def _day(date: np.datetime64) -> np.datetime64:
    day: np.datetime64 = date.astype("datetime64[D]")
    return day


def _minute(date: np.datetime64) -> int:
    return int((date.astype("datetime64[m]") - _MONDAY).astype(np.int64))
