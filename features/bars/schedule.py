"""When a symbol's bars come: its trading days, hours or period."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from typing import Protocol

import numpy as np

from features.bars.arrays import Dates
from features.bars.sessions import ALWAYS, WEEKDAYS, sessions_between

_UNKNOWN_DAYS = 14  # longer holidays do not exist: the calendar does not know this year
_DAY, _NOON = np.timedelta64(1, "D"), np.timedelta64(12, "h")
_WEEK_S = 7 * 86_400
WEEK_MINUTES = 7 * 1440
MONDAY = np.datetime64("1970-01-05", "m")

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
    """Daily bars on the sessions of a calendar: an exchange's, ``24/5`` or ``24/7``.

    ``exact`` is whether the calendar's next sessions are those of the bars. A calendar that fits roughly counts bars
    that are missing well enough, and dates none.
    """

    calendar: str
    exact: bool = True

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
        """Return the next sessions; None of a rough fit, and beyond the years whose holidays are known."""
        if not self.exact:
            return None
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
    """Weekly or rarer bars, ``days`` apart."""

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
        """Return None: holidays move the stamps of weeks."""
        return None


@dataclass(frozen=True, slots=True)
class Months:
    """Bars of ``count`` calendar months: monthly, quarterly or yearly."""

    count: int

    @property
    def allowed(self) -> int:
        """One bar."""
        return 1

    def unit(self, count: int) -> str:
        """Return ``bars of 1 month``."""
        return "bar" + "s" * (count != 1) + f" of {self.count} month" + "s" * (self.count != 1)

    def missing(self, last: np.datetime64, now: np.datetime64) -> int:
        """Return the periods since the one that ``last`` may have begun; a stamp before midnight is of the next day."""
        months = now.astype("datetime64[M]") - (last + _NOON).astype("datetime64[M]")
        return max(0, int(months.astype(np.int64)) // self.count - 1)

    def following(self, last: np.datetime64, count: int) -> Dates | None:
        """Return None: the stamp may be the month's first or last session."""
        return None


@dataclass(frozen=True, slots=True)
class HoursOfWeek:
    """Stamped bars, ``seconds`` apart, in the minutes ``starts`` of a week (since Monday 0:00 UTC).

    ``exact`` is whether the bars are evenly spaced.
    """

    starts: tuple[int, ...]
    seconds: float
    exact: bool = True

    @property
    def allowed(self) -> int:
        """Three bars (of under a minute: three minutes), and a day of bars where the market closes for holidays."""
        return self._a_start * (LATE_BARS + (0 if self._round_the_clock else self._a_day))

    @property
    def _a_start(self) -> int:
        """The bars that begin in one minute."""
        return max(1, round(60.0 / self.seconds))

    @property
    def _a_day(self) -> int:
        """The starts of a usual day."""
        return -(-len(self.starts) // len({start // 1440 for start in self.starts}))

    @property
    def _round_the_clock(self) -> bool:
        return len(self.starts) * max(self.seconds, 60.0) >= 0.95 * _WEEK_S

    def unit(self, count: int) -> str:
        """Return ``bars of 60 minutes``, or ``of 10 seconds``; holidays are not known, and may be a day or more."""
        size, name = (self.seconds / 60, "minute") if self.seconds % 60 == 0 else (self.seconds, "second")
        holidays = not self._round_the_clock and count >= self._a_start * self._a_day
        text = "bar" + "s" * (count != 1) + f" of {size:g} {name}" + "s" * (size != 1)
        return text + (", those of holidays and short days counted," if holidays else "")

    def missing(self, last: np.datetime64, now: np.datetime64) -> int:
        """Return the number of bars after ``last`` that are complete."""
        if self._round_the_clock:
            return max(0, int((now - last) / np.timedelta64(1, "ns") / 1e9 // self.seconds) - 1)
        complete = self._until(_minute(now) - ceil(self.seconds / 60)) - self._until(_minute(last))
        return max(0, complete * self._a_start)

    def following(self, last: np.datetime64, count: int) -> Dates | None:
        """Return the next stamps of an even series around the clock; None for others, whose hours change."""
        if not (self._round_the_clock and self.exact):
            return None
        steps = np.round(np.arange(1, count + 1) * self.seconds * 1e9).astype("timedelta64[ns]")
        dates: Dates = last.astype("datetime64[ns]") + steps
        return dates

    def has_start(self, date: np.datetime64) -> bool:
        """Return whether a bar usually begins at this time of the week."""
        return _minute(date) % WEEK_MINUTES in self.starts

    def _until(self, minute: int) -> int:
        """Return the number of starts since a fixed Monday, up to this minute."""
        weeks, rest = divmod(minute, WEEK_MINUTES)
        return weeks * len(self.starts) + int(np.searchsorted(self.starts, rest, side="right"))


@lru_cache(maxsize=256)
def _count_sessions(calendar: str, first: np.datetime64, end: np.datetime64) -> int:
    if end < first:
        return 0
    sessions = sessions_between(calendar, first, end)
    known = sessions[-1] if len(sessions) else first - _DAY
    if (end - known) / _DAY > _UNKNOWN_DAYS:
        return len(sessions) + int(np.busday_count(known + _DAY, end + _DAY))
    return len(sessions)


def _day(date: np.datetime64) -> np.datetime64:
    day: np.datetime64 = date.astype("datetime64[D]")
    return day


def _minute(date: np.datetime64) -> int:
    return int((date.astype("datetime64[m]") - MONDAY).astype(np.int64))
