"""Up to when a bar may use other data: its exchange's close in UTC, early closes included, or an earlier instant."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from features.bars.arrays import Dates
from features.bars.schedule import Sessions
from features.bars.schedule_fit import schedule_of
from features.bars.sessions import ALWAYS, EXCHANGES, session_closes

_MIN_BARS = 60  # fewer have too few holidays to tell exchanges apart
_DAY, _INSTANT = np.timedelta64(1, "D"), np.timedelta64(1, "ns")


def decision_times(dates: Dates) -> Dates:
    """Return the instant in UTC up to which a bar may use what has become known, ``datetime64[ns]`` (N,).

    The close of the exchange whose calendar fits the dates (:func:`.schedule_of`), or the end of the day for series
    that trade around the clock. Where neither is known (a bar on a day on which the exchange is closed, few bars,
    weekly bars, intraday bars) it is the bar's own stamp, which is earlier: nothing of that day is used.
    """
    return _of(np.ascontiguousarray(dates.astype("datetime64[ns]", copy=False)).tobytes()) if len(dates) else dates


def exchange_of(dates: Dates) -> str | None:
    """Return the calendar of the exchange that daily bars trade on (N,); None where that is not certain."""
    schedule = schedule_of(dates) if len(dates) >= _MIN_BARS else None
    return schedule.calendar if isinstance(schedule, Sessions) and schedule.calendar in EXCHANGES else None


@lru_cache(maxsize=256)
def _of(content: bytes) -> Dates:
    dates = np.frombuffer(content, "datetime64[ns]")
    schedule = schedule_of(dates)
    if isinstance(schedule, Sessions) and schedule.calendar == ALWAYS:
        return np.asarray(dates + _DAY - _INSTANT, "datetime64[ns]")
    exchange = exchange_of(dates)
    return dates if exchange is None else session_closes(exchange, dates)
