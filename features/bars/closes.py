"""When a bar is complete."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from features.bars.schedule import BarSchedule, HoursOfWeek, Months, Period, Sessions
from features.bars.sessions import ALWAYS, WEEKDAYS, is_known, session_close

_DAY = np.timedelta64(1, "D")
_NS = np.timedelta64(1, "ns")


def bar_close(schedule: BarSchedule, date: np.datetime64) -> datetime | None:
    """Return when the bar of a date is complete, UTC; None where the calendar does not know the date.

    A daily bar of an exchange is complete at the session's close. Where the calendar is not known exactly, or has no
    session on this day, and around the clock, it is complete at the end of the day, UTC; stamped bars, and those of
    weeks and months, at the end of their period.
    """
    match schedule:
        case HoursOfWeek(seconds=seconds):
            return _aware(date.astype("datetime64[ns]") + round(seconds * 1e9) * _NS)
        case Sessions(calendar=name, exact=True) if name not in (ALWAYS, WEEKDAYS):
            day = date.astype("datetime64[D]")
            if not is_known(name, day):
                return None
            close = session_close(name, day)
            return _aware(day + _DAY if close is None else close)
        case Period(days=days):
            return _aware(date.astype("datetime64[D]") + days * _DAY)
        case Months(count=count):
            month = (date + np.timedelta64(12, "h")).astype("datetime64[M]")
            return _aware((month + count).astype("datetime64[D]"))
        case _:
            return end_of_day(date)


def end_of_day(date: np.datetime64) -> datetime:
    """Return the end of a date's day, UTC: when a daily bar is complete whose calendar is not known."""
    return _aware(date.astype("datetime64[D]") + _DAY)


def bar_date(date: np.datetime64) -> datetime:
    """Return the date of a bar as an aware time: midnight UTC of a session, the UTC stamp of an intraday bar."""
    return _aware(date)


def _aware(date: np.datetime64) -> datetime:
    found: datetime = date.astype("datetime64[us]").item()
    return found.replace(tzinfo=UTC)
