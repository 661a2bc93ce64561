"""Which sessions a series lacks, against the calendar of the exchange it trades on."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from features.parsing import Dates

ALWAYS, WEEKDAYS = "24/7", "24/5"
# New York, London, Frankfurt, Paris, Toronto, Tokyo, Hong Kong, Mumbai, Sydney.
_EXCHANGES = ("XNYS", "XLON", "XETR", "XPAR", "XTSE", "XTKS", "XHKG", "XBOM", "XASX")
_WEEKEND_SHARE = 0.05  # more bars than this on weekends, and the series trades around the clock


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
    return best_fit(calendar_fits(days), len(days))


class CalendarFit(NamedTuple):
    """How a series lies on a calendar: sessions without a bar, and bars on days that are closed."""

    missing: int
    closed: int

    @property
    def misfit(self) -> int:
        """Days on which series and calendar differ."""
        return self.missing + self.closed


def calendar_fits(days: Dates) -> dict[str, CalendarFit]:
    """Return how these sorted ``datetime64[D]`` days, at least one, lie on every calendar that covers their span.

    Of two that fit alike the first counts: weekdays, then New York, then the others.
    """
    first, last = days[0], days[-1]
    start, names, is_open, opened = _grid(_decade(first), _decade(last))
    at = (days - start).astype(np.int64)
    on_sessions = np.count_nonzero(is_open[:, at], axis=1)
    sessions = opened[:, at[-1] + 1] - opened[:, at[0]]
    pairs = zip(sessions - on_sessions, len(days) - on_sessions, strict=True)
    return {name: CalendarFit(int(m), int(c)) for name, (m, c) in zip(names, pairs, strict=True)}


def best_fit(fits: Mapping[str, CalendarFit], bars: int) -> str:
    """Return the calendar of a series with these fits: around the clock if it has weekends, else the least misfit."""
    if fits[WEEKDAYS].closed > _WEEKEND_SHARE * bars:
        return ALWAYS
    return min((name for name in fits if name != ALWAYS), key=lambda name: fits[name].misfit)


def _sessions(name: str, first: np.datetime64, last: np.datetime64) -> Dates:
    if name in (ALWAYS, WEEKDAYS):
        days = np.arange(first, last + 1)
        return days if name == ALWAYS else days[np.is_busday(days)]
    decades = range(_decade(first), _decade(last) + 1, 10)
    sessions = np.concatenate([_exchange_sessions(name, decade) for decade in decades])
    return sessions[(sessions >= first) & (sessions <= last)]


def _decade(day: np.datetime64) -> int:
    return 10 * (int(str(day)[:4]) // 10)


@lru_cache(maxsize=16)
def _grid(first: int, last: int) -> tuple[np.datetime64, tuple[str, ...], npt.NDArray[np.bool_], npt.NDArray[np.int32]]:
    """Return a first day, calendars, whether each is open (C, days) and how often it was before (C, days + 1)."""
    start, end = np.datetime64(f"{first}-01-01"), np.datetime64(f"{last + 9}-12-31")
    names, rows = [], []
    for name in (WEEKDAYS, *_EXCHANGES, ALWAYS):
        try:
            sessions = _sessions(name, start, end)
        except ValueError:
            continue  # the exchange's calendar does not reach back that far
        names.append(name)
        rows.append(np.zeros(int((end - start).astype(np.int64)) + 1, np.bool_))
        rows[-1][(sessions - start).astype(np.int64)] = True
    is_open = np.stack(rows)
    opened = np.zeros((len(names), is_open.shape[1] + 1), np.int32)
    np.cumsum(is_open, axis=1, out=opened[:, 1:])
    return start, tuple(names), is_open, opened


@lru_cache(maxsize=128)
def _exchange_sessions(name: str, decade: int) -> Dates:
    """Return a decade's sessions: whole decades, so that symbols with different histories share a few calendars."""
    import exchange_calendars

    start, end = f"{decade}-01-01", f"{decade + 9}-12-31"
    with warnings.catch_warnings():
        # exchange_calendars 4.13 uses Series.values of zoned times, deprecated by pandas 3.1; sessions do not.
        warnings.simplefilter("ignore")
        try:
            calendar = exchange_calendars.get_calendar(name, start=start, end=end)
        except ValueError:  # Mumbai's holidays are announced year by year: up to the last that is known
            calendar = exchange_calendars.get_calendar(name, start=start)
    sessions: Dates = calendar.sessions.to_numpy().astype("datetime64[D]")
    return sessions[sessions <= np.datetime64(end)]
