"""The record of task runs in the journal, from which a restarted bot goes on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, select, update

from configs.words import counted
from serving.alerts.events import Alert, one_line
from serving.alerts.outbox import REPEAT, raise_alert, resolve_alerts
from serving.bot.schedule import Due
from serving.journal.database import Journal
from serving.journal.leases import Lease
from serving.journal.schema import task_runs
from serving.journal.upsert import insert

DONE, FAILED = "done", "failed"
LONGEST_TEXT = 2_000
_SCAN = "scan"
_KEPT = timedelta(days=14)
_FAILURES = 3  # in succession, that are worth an alert


def newest_done(journal: Journal, bot: str) -> dict[str, datetime]:
    """Return the newest tick of each task that a run finished well; a run that was interrupted does not count."""
    rows = select(task_runs.c.task, func.max(task_runs.c.due_at)).where(
        task_runs.c.bot == bot, task_runs.c.outcome == DONE
    )
    with journal.connect() as connection:
        return {task: due_at for task, due_at in connection.execute(rows.group_by(task_runs.c.task))}


def record_start(
    journal: Journal, lease: Lease, bot: str, task: str, due: Due, now: datetime, silent_since: datetime | None = None
) -> None:
    """Record that a run has begun; an earlier attempt for the same tick is replaced.

    With ``silent_since``, the tick of the run before, scans that were missed raise an alert.

    Raises
    ------
    LeaseLostError
        Another process leads the bot.
    """
    values = {"started_at": now, "finished_at": None, "outcome": None, "missed": due.missed, "error": None}
    with journal.begin() as connection:
        lease.guard(connection)
        statement = insert(connection, task_runs).values(bot=bot, task=task, due_at=due.at, **values)
        connection.execute(statement.on_conflict_do_update(index_elements=["bot", "task", "due_at"], set_=values))
        if task == _SCAN and due.missed and silent_since is not None:
            between = f"{silent_since:%Y-%m-%d %H:%M}Z and {due.at:%Y-%m-%d %H:%M}Z"
            title = f"{counted(due.missed, 'scan')} between {between} did not run"
            raise_alert(connection, Alert(bot, "missed_scans", task, due.at, title, data={"missed": due.missed}))


def record_end(
    journal: Journal,
    lease: Lease,
    bot: str,
    task: str,
    due: Due,
    now: datetime,
    error: str | None = None,
    failures: int = 0,
    repeat: timedelta = REPEAT,
) -> None:
    """Record the end of a run, and why it failed if it did; after three failures in succession there is an alert.

    ``repeat`` is ``alerts.repeat_hours``. Runs of the task before the last two weeks are deleted.
    """
    key = (task_runs.c.bot == bot) & (task_runs.c.task == task) & (task_runs.c.due_at == due.at)
    text = None if error is None else one_line(error, LONGEST_TEXT)
    values = {"finished_at": now, "outcome": DONE if error is None else FAILED, "error": text}
    with journal.begin() as connection:
        lease.guard(connection)
        connection.execute(update(task_runs).where(key).values(**values))
        old = (task_runs.c.bot == bot) & (task_runs.c.task == task) & (task_runs.c.due_at < now - _KEPT)
        connection.execute(delete(task_runs).where(old, task_runs.c.due_at < due.at))
        if error is None:
            resolve_alerts(connection, bot, "task_failure", [task], now)
        elif failures >= _FAILURES:
            title = f"task {task} failed {failures} times: {text}"
            raise_alert(connection, Alert(bot, "task_failure", task, now, title), repeat)


def newest_runs(connection: Connection, bot: str) -> dict[str, Mapping[str, object]]:
    """Return the newest run of each task of a bot, by task."""
    newest = (
        select(task_runs.c.task, func.max(task_runs.c.started_at).label("started_at"))
        .where(task_runs.c.bot == bot)
        .group_by(task_runs.c.task)
        .subquery()
    )
    rows = select(task_runs).join(
        newest, (task_runs.c.task == newest.c.task) & (task_runs.c.started_at == newest.c.started_at)
    )
    found = connection.execute(rows.where(task_runs.c.bot == bot).order_by(task_runs.c.due_at)).mappings()
    return {str(row["task"]): dict(row) for row in found}
