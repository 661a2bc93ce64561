"""Whether a symbol's bars are up to date, judged by its own schedule, and how that is said."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from features.bars.schedule import BarSchedule

_DAYS_OF_AGES = ((2 * 365.25, 365.25, "year"), (60.0, 30.4375, "month"), (1.0, 1.0, "day"), (0.0, 1.0 / 24.0, "hour"))


@dataclass(frozen=True, slots=True)
class Freshness:
    """The age of a symbol's newest bar.

    ``last`` is its date, ``age`` its age, ``missing`` the number of complete bars that are due since, ``unit`` what
    they are (``sessions of XNYS``). ``stale`` is whether more are missing than the schedule allows.
    """

    last: datetime
    age: timedelta
    missing: int
    unit: str
    stale: bool

    def __str__(self) -> str:
        """Return the age as a person reads it: ``bars end on 2018-12-31, 7 years ago``, and what is missing."""
        is_day = self.last == self.last.replace(hour=0, minute=0, second=0, microsecond=0)
        end = f"on {self.last:%Y-%m-%d}" if is_day else f"at {self.last:%Y-%m-%d %H:%M} UTC"
        verb = "is" if self.missing == 1 else "are"
        missing = f" ({self.missing:,} {self.unit} {verb} missing)" if self.missing else ""
        return f"bars end {end}, {age_text(self.age)} ago{missing}"


def freshness(schedule: BarSchedule, last: datetime, now: datetime) -> Freshness:
    """Judge a symbol whose newest bar is ``last`` at a time ``now``, both UTC without a zone."""
    missing = schedule.missing(np.datetime64(last, "ns"), np.datetime64(now, "ns"))
    return Freshness(last, now - last, missing, schedule.unit(missing), missing > schedule.allowed)


def age_text(age: timedelta) -> str:
    """Return an age in its largest unit, rounded down: ``7 years``, ``14 months``, ``5 days``, ``1 hour``."""
    days = max(age.total_seconds() / 86_400, 0.0)
    _, size, name = next(row for row in _DAYS_OF_AGES if days >= row[0])
    count = int(days / size)
    return f"{count} {name}" + "s" * (count != 1)
