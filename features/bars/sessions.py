"""Exchange calendars: which one a series trades on, and which of its sessions have no bar."""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.bars.arrays import Dates

ALWAYS, WEEKDAYS = "24/7", "24/5"
# Europe and Africa, the Americas, Asia and Oceania: one of each group with the same holidays and hours.
EXCHANGES = (
    *("XNYS", "XLON", "XETR", "XPAR", "XSWX", "XSTO", "XCSE", "XIST", "XJSE", "XTSE", "XMEX", "BVMF", "XSGO"),
    *("XTKS", "XHKG", "XSHG", "XKRX", "XTAI", "XSES", "XKLS", "XBKK", "XIDX", "XPHS", "XBOM", "XASX", "XNZE"),
)
_NAMES = (WEEKDAYS, *EXCHANGES, ALWAYS)
_ERA_YEARS = 60  # such as 1980 to 2039: a calendar of 60 years takes hardly longer to compute than one of ten
_TWO_WEEKS = 14
_WEEKEND_SHARE = 0.05  # a series with a larger share of its bars on weekends trades around the clock


def session_gaps(dates: Dates, calendar: str | None = None) -> Dates:
    """Return the sessions without a bar between the first and the last date, ``datetime64[ns]``.

    Parameters
    ----------
    dates
        Session dates of one symbol, sorted, shape (N,).
    calendar
        A name of ``exchange_calendars`` (``XNYS``), ``24/5``, ``24/7``, or None for :func:`fitting_calendar`'s. Without
        a calendar (intraday bars) there are no gaps.
    """
    name = fitting_calendar(dates) if calendar is None else calendar
    if name is None or not len(dates):
        return np.array([], "datetime64[ns]")
    days = dates.astype("datetime64[D]")
    return np.setdiff1d(sessions_between(name, days[0], days[-1]), days).astype("datetime64[ns]")


def fitting_calendar(dates: Dates) -> str | None:
    """Return the calendar with the fewest missing sessions and bars on closed days; None for intraday bars.

    A series with bars on weekends is ``24/7``, and one that is open from Sunday to Thursday or to Friday fits none. Of
    calendars that fit equally the first is returned: weekdays, then New York, then the other exchanges.
    """
    days = dates.astype("datetime64[D]")
    if len(days) < 2 or (days != dates).any():
        return None
    offsets = (days - days[0]).astype(np.int64)
    closed = len(days) - _open_days(WEEKDAYS, days[0], days[-1])[offsets].sum()
    if closed > _WEEKEND_SHARE * len(days):
        weekdays = np.bincount(days.astype(np.int64) % 7, minlength=7)
        other_week = len(days) >= _TWO_WEEKS and weekdays.min() < 0.5 * weekdays.max()
        return None if other_week else ALWAYS
    found, least = WEEKDAYS, np.inf
    for name in (WEEKDAYS, *EXCHANGES):
        is_open = _open_days(name, days[0], days[-1])
        bars = is_open[offsets].sum()
        misfit = (is_open.sum() - bars) + (len(days) - bars)
        if misfit < least:
            found, least = name, misfit
        if not least:  # computing the other calendars takes seconds, and none can fit better
            break
    return found


def calendar_grid(first: np.datetime64, last: np.datetime64) -> tuple[tuple[str, ...], npt.NDArray[np.float32]]:
    """Return all C calendars, and whether each is open (1) or closed (0) from the first to the last day, (C, days).

    In years for which a calendar's holidays are not known every weekday is open.
    """
    return _NAMES, np.stack([_open_days(name, first, last) for name in _NAMES])


def sessions_between(name: str, first: np.datetime64, last: np.datetime64) -> Dates:
    """Return a calendar's sessions from the first to the last day, ``datetime64[D]``; none in years not known."""
    if name in (ALWAYS, WEEKDAYS):
        days = np.arange(first, last + 1)
        return days if name == ALWAYS else days[np.is_busday(days)]
    eras = range(_era(first), _era(last) + 1, _ERA_YEARS)
    sessions = np.concatenate([_exchange_hours(name, era).sessions for era in eras])
    return sessions[(sessions >= first) & (sessions <= last)]


def _decade(day: np.datetime64) -> int:
    return 10 * (int(str(day)[:4]) // 10)


def _era(day: np.datetime64) -> int:
    return _ERA_YEARS * (int(str(day)[:4]) // _ERA_YEARS)


def _open_days(name: str, first: np.datetime64, last: np.datetime64) -> npt.NDArray[np.float32]:
    """Return whether a calendar is open (1) or closed (0) on each day from the first to the last, (days,)."""
    start, is_open = _open_decades(name, _decade(first), _decade(last))
    return is_open[int((first - start).astype(np.int64)) : int((last - start).astype(np.int64)) + 1]


@lru_cache(maxsize=16 * len(_NAMES))
def _open_decades(name: str, first: int, last: int) -> tuple[np.datetime64, npt.NDArray[np.float32]]:
    """Return the first day of decade ``first``, and whether a calendar is open up to the end of ``last``, (days,)."""
    start, end = np.datetime64(f"{first}-01-01"), np.datetime64(f"{last + 9}-12-31")
    days = np.arange(start, end + 1)
    is_open = np.zeros(len(days), np.float32)
    sessions = sessions_between(name, start, end)
    is_open[(sessions - start).astype(np.int64)] = 1.0
    if name not in (ALWAYS, WEEKDAYS):
        known = (days >= sessions[0]) & (days <= sessions[-1]) if len(sessions) else np.zeros(len(days), np.bool_)
        is_open[np.is_busday(days) & ~known] = 1.0
    return start, is_open


def session_close(name: str, day: np.datetime64) -> np.datetime64 | None:
    """Return when an exchange closes on a day, UTC ``datetime64[ns]``, early closes included; None without a session.

    There is none on days that the calendar does not know either; see :func:`is_known`.
    """
    hours = _exchange_hours(name, _era(day))
    place = int(np.searchsorted(hours.sessions, day))
    found = place < len(hours.sessions) and hours.sessions[place] == day
    return hours.closes[place] if found else None


def session_closes(name: str, dates: Dates) -> Dates:
    """Return an exchange's closes on these days in UTC, ``datetime64[ns]`` (N,); the date itself without a session."""
    days, out = dates.astype("datetime64[D]"), dates.astype("datetime64[ns]")
    eras = _ERA_YEARS * ((days.astype("datetime64[Y]").astype(np.int64) + 1970) // _ERA_YEARS)
    for era in np.unique(eras).tolist():
        hours = _exchange_hours(name, era)
        if len(hours.sessions):
            at = np.minimum(np.searchsorted(hours.sessions, days), len(hours.sessions) - 1)
            np.copyto(out, hours.closes[at], where=(hours.sessions[at] == days) & (days == dates))
    return out


def usual_opening(name: str, day: np.datetime64) -> tuple[str, np.timedelta64]:
    """Return an exchange's zone, such as ``Asia/Tokyo``, and its usual opening as a local time of day in minutes.

    ``day`` is one whose sessions are asked for too, so that no other calendar is computed; the opening is the newest.
    """
    hours = _exchange_hours(name, _era(day))
    return hours.zone, hours.opening


def is_known(name: str, day: np.datetime64) -> bool:
    """Return whether a calendar knows if there is a session on this day."""
    if name in (ALWAYS, WEEKDAYS):
        return True
    hours = _exchange_hours(name, _era(day))
    return bool(hours.first <= day <= hours.last)


class _Hours(NamedTuple):
    """Sessions (``datetime64[D]``) and their closes (UTC) of the days from ``first`` to ``last`` that are known."""

    sessions: Dates
    closes: Dates
    first: np.datetime64
    last: np.datetime64
    zone: str
    opening: np.timedelta64


@lru_cache(maxsize=256)
def _exchange_hours(name: str, era: int) -> _Hours:
    """Return an era of an exchange. Eras, so that symbols with different histories share cached calendars.

    Holidays that follow no rule, such as Mumbai's, are known up to the last announced year.
    """
    import exchange_calendars

    start, end = pd.Timestamp(f"{era}-01-01"), pd.Timestamp(f"{era + _ERA_YEARS - 1}-12-31")
    with warnings.catch_warnings():
        # exchange_calendars 4.13 uses Series.values of zoned times, deprecated by pandas 3.1.
        warnings.simplefilter("ignore")
        try:
            calendar = exchange_calendars.get_calendar(name, start=start, end=end)
        except ValueError:
            default = exchange_calendars.get_calendar(name)
            bounds = default.bound_min() or start, default.bound_max() or end
            start, end = max(start, bounds[0]), min(end, bounds[1])
            if start >= end:
                none = np.array([], "datetime64[D]")
                return _Hours(none, none.astype("datetime64[ns]"), _day_of(start), _day_of(end), *_opening_of(default))
            calendar = exchange_calendars.get_calendar(name, start=start, end=end)
    sessions: Dates = calendar.sessions.to_numpy().astype("datetime64[D]")
    closes = calendar.closes_nanos.astype("datetime64[ns]")
    return _Hours(sessions, closes, _day_of(start), _day_of(end), *_opening_of(calendar))


def _opening_of(calendar: Any) -> tuple[str, np.timedelta64]:
    opening = calendar.open_times[-1][1]
    return str(calendar.tz), np.timedelta64(60 * opening.hour + opening.minute, "m")


def _day_of(time: pd.Timestamp) -> np.datetime64:
    return np.datetime64(time, "D")
