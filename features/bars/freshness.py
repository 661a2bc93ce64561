"""Whether a symbol's bars are up to date, judged by its own schedule, and how that is said."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

import numpy as np

from features.bars.schedule import BarSchedule

_DAYS_OF_AGES = ((2 * 365.25, 365.25, "year"), (60.0, 30.4375, "month"), (1.0, 1.0, "day"), (0.0, 1.0 / 24.0, "hour"))


@dataclass(frozen=True, slots=True)
class Freshness:
    """The age of a symbol's newest bar.

    ``last`` is its date, ``age`` its age, ``missing`` the number of complete bars that are due since. ``text`` says it
    in words: ``bars end on 2018-12-31, 7 years ago (1,988 sessions of XNYS are missing)``. ``stale`` is whether more
    are missing than the schedule allows.
    """

    last: datetime
    age: timedelta
    missing: int
    text: str
    stale: bool


@lru_cache(maxsize=256)
def freshness(schedule: BarSchedule, last: datetime, now: datetime) -> Freshness:
    """Judge a symbol whose newest bar is ``last`` at a time ``now``, both UTC without a zone."""
    count = schedule.missing(np.datetime64(last, "ns"), np.datetime64(now, "ns"))
    is_day = last == last.replace(hour=0, minute=0, second=0, microsecond=0)
    end = f"on {last:%Y-%m-%d}" if is_day else f"at {last:%Y-%m-%d %H:%M} UTC"
    missing = f" ({count:,} {schedule.unit(count)} {'is' if count == 1 else 'are'} missing)" if count else ""
    text = f"bars end {end}, {age_text(now - last)} ago{missing}"
    return Freshness(last, now - last, count, text, count > schedule.allowed)


def age_text(age: timedelta) -> str:
    """Return an age in its largest unit, rounded down: ``7 years``, ``14 months``, ``5 days``, ``1 hour``."""
    days = max(age.total_seconds() / 86_400, 0.0)
    _, size, name = next(row for row in _DAYS_OF_AGES if days >= row[0])
    count = int(days / size)
    return f"{count} {name}" + "s" * (count != 1)
