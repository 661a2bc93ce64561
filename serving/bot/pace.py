"""How often a bot scans, for readers that do not have its settings: its own schedule, or what its past scans show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from sqlalchemy import Connection, select

from serving.bot.catalog import catalog
from serving.bot.registration import Registration
from serving.bot.runs import DONE
from serving.bot.schedule import Every, Schedule, parse_schedule
from serving.journal.schema import task_runs

SCAN = "scan"
_RUNS = 50  # the newest, which include a weekend of a schedule of working days


@dataclass(frozen=True, slots=True)
class Pace:
    """A period between scans that are started from outside; it is counted from the last scan.

    A schedule with pauses, such as one of working days, has its longest pause as the period.
    """

    period_s: float

    def __str__(self) -> str:
        """Return it in words."""
        return f"about {Every(self.period_s)}"

    def after(self, instant: datetime) -> datetime:
        """Return when the next scan is due."""
        return instant + timedelta(seconds=self.period_s)

    def passed(self, last: datetime, now: datetime) -> tuple[datetime | None, int]:
        """Return the end of the newest whole period in ``(last, now]``, and how many there are; None and 0 for none."""
        count = max(0, int((now - last).total_seconds() // self.period_s))
        return (last + timedelta(seconds=count * self.period_s) if count else None), count


def scan_schedule(connection: Connection, bot: str, registered: Registration | None) -> Schedule | None:
    """Return when a bot scans: by its own schedule, or, if scans are started from outside, as often as before.

    None: a bot that has a schedule of other tasks only.
    """
    if registered is not None and registered.schedules:
        return registered.schedule(SCAN)
    return pace_of(connection, bot)


def pace_of(connection: Connection, bot: str) -> Pace:
    """Return the longest time between two of a bot's newest scans, missed ones included.

    Before its second scan it is that of the catalog of tasks.
    """
    own = (task_runs.c.bot == bot) & (task_runs.c.task == SCAN) & (task_runs.c.outcome == DONE)
    newest = select(task_runs.c.due_at, task_runs.c.missed).where(own).order_by(task_runs.c.due_at.desc()).limit(_RUNS)
    rows = list(connection.execute(newest))
    periods = [
        (later.due_at - earlier.due_at).total_seconds() / (later.missed + 1) for later, earlier in pairwise(rows)
    ]
    return Pace(max(periods, default=_default_s()))


def _default_s() -> float:
    schedule = parse_schedule(catalog()[SCAN].schedule)
    return schedule.period_s if isinstance(schedule, Every) else 86_400.0
