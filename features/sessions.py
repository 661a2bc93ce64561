"""Which sessions a series lacks, against the calendar of the exchange it trades on."""

from __future__ import annotations

import warnings
from functools import lru_cache

import numpy as np

from features.parsing import Dates

ALWAYS, WEEKDAYS = "24/7", "24/5"
# Tried in this order when New York does not fit: London, Frankfurt, Paris, Toronto, Tokyo, Hong Kong, Mumbai, Sydney.
_EXCHANGES = ("XNYS", "XLON", "XETR", "XPAR", "XTSE", "XTKS", "XHKG", "XBOM", "XASX")
_GOOD_FIT = 0.02


def session_gaps(dates: Dates, calendar: str | None = None) -> Dates:
    """Return the sessions between the first and the last date that have no bar, ``datetime64[ns]``.

    Parameters
    ----------
    dates
        Session dates of one symbol, sorted, shape (N,).
    calendar
        A name of ``exchange_calendars`` (``XNYS``), ``24/5``, ``24/7``, or None to let :func:`fitting_calendar` choose.
        Where none fits (intraday bars) there are no gaps to speak of.
    """
    name = fitting_calendar(dates) if calendar is None else calendar
    if name is None or not len(dates):
        return np.array([], "datetime64[ns]")
    held = dates.astype("datetime64[D]")
    return np.setdiff1d(_sessions(name, held[0], held[-1]), held).astype("datetime64[ns]")


def fitting_calendar(dates: Dates) -> str | None:
    """Return the calendar with the fewest sessions missing and bars on closed days; None for intraday bars."""
    days = dates.astype("datetime64[D]")
    if len(days) < 2 or (days != dates).any():
        return None
    if (~np.is_busday(days)).mean() > 0.05:
        return ALWAYS
    best, fewest = WEEKDAYS, len(np.setxor1d(_sessions(WEEKDAYS, days[0], days[-1]), days))
    for name in _EXCHANGES:
        try:
            sessions = _sessions(name, days[0], days[-1])
        except ValueError:
            continue  # the exchange's calendar does not reach back that far
        misfit = len(np.setxor1d(sessions, days))
        if misfit < fewest:
            best, fewest = name, misfit
        if best == name and misfit <= _GOOD_FIT * len(days):
            break
    return best


def _sessions(name: str, first: np.datetime64, last: np.datetime64) -> Dates:
    if name in (ALWAYS, WEEKDAYS):
        days = np.arange(first, last + 1)
        return days if name == ALWAYS else days[np.is_busday(days)]
    # Whole decades, so that symbols with different histories share a few calendars.
    decade = 10 * (int(str(first)[:4]) // 10)
    sessions = _exchange_sessions(name, decade, 10 * (int(str(last)[:4]) // 10) + 9)
    return sessions[(sessions >= first) & (sessions <= last)]


@lru_cache(maxsize=64)
def _exchange_sessions(name: str, first_year: int, last_year: int) -> Dates:
    import exchange_calendars

    with warnings.catch_warnings():
        # exchange_calendars 4.13 uses Series.values of zoned times, deprecated by pandas 3.1; sessions do not.
        warnings.simplefilter("ignore")
        calendar = exchange_calendars.get_calendar(name, start=f"{first_year}-01-01", end=f"{last_year}-12-31")
    sessions: Dates = calendar.sessions.to_numpy().astype("datetime64[D]")
    return sessions
