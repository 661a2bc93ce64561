"""Which bars a series lacks, by its period: sessions of its calendar, weeks, months, quarters or years."""

from __future__ import annotations

import numpy as np

from features.bars.arrays import Dates
from features.bars.period import UNKNOWN, BarPeriod, Int64
from features.bars.sessions import fitting_calendar, session_gaps

_MONTHS = {"monthly": 1, "quarterly": 3, "yearly": 12}


def missing_bars(dates: Dates, period: BarPeriod) -> tuple[str | None, Dates]:
    """Return the calendar of a daily series, and the dates between its first and last bar on which one is missing.

    ``dates`` (N,) are sorted. A missing session is its own date; a missing week, month, quarter or year that of its
    first day (of a week the weekday of most bars). Bars within a day, and days that fit no calendar, have no gaps.
    """
    none = np.array([], "datetime64[ns]")
    days = dates.astype("datetime64[D]")
    if period.name in ("daily", UNKNOWN):
        calendar = fitting_calendar(dates)
        return calendar, session_gaps(dates, calendar) if calendar is not None else none
    if period.name == "weekly":
        # Weeks are counted from three days before the usual weekday: a bar that a holiday moves stays in its week.
        start = days[int(np.argmax(_same_weekday(days)))].astype(np.int64) - 3
        found = np.unique((days.astype(np.int64) - start) // 7)
        missing = np.setdiff1d(np.arange(found[0], found[-1] + 1), found)
        return None, (missing * 7 + start + 3).astype("datetime64[D]").astype("datetime64[ns]")
    if months := _MONTHS.get(period.name):
        found = np.unique(days.astype("datetime64[M]").astype(np.int64) // months)
        missing = np.setdiff1d(np.arange(found[0], found[-1] + 1), found)
        return None, (missing * months).astype("datetime64[M]").astype("datetime64[ns]")
    return None, none


def _same_weekday(days: Dates) -> Int64:
    """Return how many of these days are of each one's weekday, (N,)."""
    weekday = days.astype(np.int64) % 7
    count: Int64 = np.bincount(weekday, minlength=7)[weekday]
    return count
