"""A bot's registration in the journal: its schedules, its start, and its end if it was stopped on purpose.

Readers, such as the page, do not have the bot's settings. A process that is killed leaves no time of its stop.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, case, select, update

from serving.bot.schedule import Schedule, parse_schedule
from serving.journal.database import Journal
from serving.journal.leases import Lease
from serving.journal.schema import registrations
from serving.journal.upsert import insert

_MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Registration:
    """A bot's newest process.

    Attributes
    ----------
    schedules
        When its tasks run, by task; empty if each run is started from outside, as by cron.
    started_at, stopped_at
        When it began to lead, and when it was stopped on purpose; ``stopped_at`` is None while it runs, and after it
        was killed.
    follows_stop
        Whether the process before it was stopped on purpose: then nothing was due until this one started.
    """

    schedules: Mapping[str, str]
    started_at: datetime
    stopped_at: datetime | None
    follows_stop: bool = False

    def schedule(self, task: str) -> Schedule | None:
        """Return when a task runs; None if it does not run by itself."""
        text = self.schedules.get(task)
        return None if text is None else parse_schedule(text)


def register(journal: Journal, lease: Lease, bot: str, schedules: Mapping[str, Schedule], now: datetime) -> None:
    """Record that a process leads a bot and runs tasks by these schedules; ``LeaseLostError`` if it does not lead."""
    texts = {name: str(schedule) for name, schedule in schedules.items()}
    with journal.begin() as connection:
        lease.guard(connection)
        before = registration_of(connection, bot)
        stop = None if before is None or before.stopped_at is None else min(before.stopped_at, now - _MOMENT)
        _put(connection, bot, {"schedules": texts, "started_at": now, "stopped_at": stop})


def register_single_run(journal: Journal, lease: Lease, bot: str, began: datetime, now: datetime) -> None:
    """Record that tasks were run once, by a process that is ending; ``LeaseLostError`` if it does not lead."""
    with journal.begin() as connection:
        lease.guard(connection)
        _put(connection, bot, {"schedules": {}, "started_at": began, "stopped_at": max(began, now)})


def register_stop(journal: Journal, lease: Lease, bot: str, now: datetime) -> None:
    """Record that the bot was stopped on purpose; ``LeaseLostError`` if another process leads it by now."""
    with journal.begin() as connection:
        lease.guard(connection)
        started_at = registrations.c.started_at
        end = case((started_at > now, started_at), else_=now)  # a clock that was set back
        connection.execute(update(registrations).where(registrations.c.bot == bot).values(stopped_at=end))


def registration_of(connection: Connection, bot: str) -> Registration | None:
    """Return what a bot's newest process recorded; None if none has, or an older Fleetcast did the work."""
    row = connection.execute(select(registrations).where(registrations.c.bot == bot)).one_or_none()
    if row is None:
        return None
    follows_stop = row.stopped_at is not None and row.stopped_at < row.started_at
    return Registration(row.schedules, row.started_at, None if follows_stop else row.stopped_at, follows_stop)


def _put(connection: Connection, bot: str, values: dict[str, object]) -> None:
    """Write the row; a stop before the start is that of the process before."""
    statement = insert(connection, registrations).values(bot=bot, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["bot"], set_=values))
