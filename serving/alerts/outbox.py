"""The outbox: alerts are rows that are written in the transaction of what they report; sending them is another task.

A condition that lasts has one open row per bot, event and key, whose ``resolved_at`` is null. When it is reported
again, a new row takes its place; when it ends, a last row of the phase ``resolved`` reports that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, update

from serving.alerts.events import EVENTS, Alert, Phase
from serving.alerts.policy import Lasting, phase_of
from serving.journal.schema import alerts as table
from serving.journal.schema import row_id
from serving.journal.upsert import insert_new

REPEAT = timedelta(hours=24)


def raise_alert(connection: Connection, alert: Alert, repeat: timedelta = REPEAT) -> str | None:
    """Write an alert in the caller's transaction; see :func:`raise_alerts`."""
    return next(iter(raise_alerts(connection, [alert], repeat)), None)


def raise_alerts(connection: Connection, alerts: Iterable[Alert], repeat: timedelta = REPEAT) -> list[str]:
    """Write alerts in the caller's transaction, and return the identifiers of those that will be reported.

    The same alert raised again changes nothing. A condition that lasts and was reported less than ``repeat`` ago is
    silent, unless it became more severe.

    Parameters
    ----------
    connection
        A write transaction of the journal.
    alerts
        Of any bots and events.
    repeat
        ``alerts.repeat_hours``.
    """
    written: list[str] = []
    ordered = sorted(alerts, key=lambda one: (one.bot, one.event))
    for (bot, event), found in groupby(ordered, key=lambda one: (one.bot, one.event)):
        if EVENTS[event].lasts:
            written += _raise_lasting(connection, bot, event, list(found), repeat)
        else:
            rows = [_row(alert, "raised", alert.at, alert.occurrence) for alert in found]
            connection.execute(insert_new(connection, table), rows)
            written += [row["id"] for row in rows]
    return written


def resolve_alerts(connection: Connection, bot: str, event: str, keys: Collection[str], at: datetime) -> list[str]:
    """End the open conditions of these keys, and return the identifiers of the rows that report it."""
    ended = [row for row in open_conditions(connection, bot, event) if row.key in keys]
    return _resolve(connection, ended, at.astimezone(UTC))


def settle(
    connection: Connection,
    bot: str,
    event: str,
    current: Sequence[Alert],
    at: datetime,
    judged: Collection[str] | None = None,
    repeat: timedelta = REPEAT,
) -> list[str]:
    """Raise the conditions that hold now, and end the open ones that do not.

    Parameters
    ----------
    connection
        A write transaction of the journal.
    bot, event
        Of all alerts in ``current``.
    current
        Every condition that holds.
    at
        When they were judged.
    judged
        The keys that were judged; conditions of others stay as they are. None means all.
    repeat
        ``alerts.repeat_hours``.
    """
    written = raise_alerts(connection, current, repeat)
    holding = {alert.key for alert in current}
    ended = [
        row
        for row in open_conditions(connection, bot, event)
        if row.key not in holding and (judged is None or row.key in judged)
    ]
    return written + _resolve(connection, ended, at.astimezone(UTC))


def open_conditions(connection: Connection, bot: str, event: str) -> list[Row[Any]]:
    """Return the rows of conditions that last, oldest first."""
    wanted = select(table).where(table.c.bot == bot, table.c.event == event, table.c.resolved_at.is_(None))
    return list(connection.execute(wanted.order_by(table.c.created_at, table.c.id)))


def _raise_lasting(
    connection: Connection, bot: str, event: str, alerts: Sequence[Alert], repeat: timedelta
) -> list[str]:
    newest = {
        row.key: (row.id, row.since, row.created_at, row.severity) for row in open_conditions(connection, bot, event)
    }
    rows: list[dict[str, Any]] = []
    replaced: list[dict[str, Any]] = []
    for alert in alerts:
        last = newest.get(alert.key)
        phase = phase_of(alert.at, alert.level, Lasting(*last[2:]) if last else None, repeat)
        if phase is None:
            continue
        row = _row(alert, phase, last[1] if last else alert.at, alert.at.isoformat())
        if last is not None and last[0] != row["id"]:
            replaced.append({"replaced": last[0], "at": alert.at})
        rows.append(row)
        newest[alert.key] = (row["id"], row["since"], alert.at, alert.level)
    if rows:
        connection.execute(insert_new(connection, table), rows)
    _end(connection, replaced)
    return [row["id"] for row in rows]


def _resolve(connection: Connection, ended: Sequence[Row[Any]], at: datetime) -> list[str]:
    if not ended:
        return []
    ends = {row.id: max(at, row.created_at) for row in ended}  # steps of the past are made up later than they were due
    _end(connection, [{"replaced": key, "at": end} for key, end in ends.items()])
    rows = [
        {
            **row._asdict(),
            "id": row_id("alert", row.id, "resolved"),
            "phase": "resolved",
            "created_at": ends[row.id],
            "resolved_at": ends[row.id],
            "routed": False,
        }
        for row in {row.key: row for row in ended}.values()
    ]
    connection.execute(insert_new(connection, table), rows)
    return [row["id"] for row in rows]


def _end(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        change = update(table).where(table.c.id == bindparam("replaced")).values(resolved_at=bindparam("at"))
        connection.execute(change, rows)


def _row(alert: Alert, phase: Phase, since: datetime, occurrence: str | None) -> dict[str, Any]:
    return {
        "id": row_id("alert", alert.bot, alert.event, alert.key, occurrence, phase),
        "bot": alert.bot,
        "event": alert.event,
        "key": alert.key,
        "occurrence": occurrence,
        "phase": phase,
        "severity": alert.level,
        "created_at": alert.at,
        "since": since,
        "title": alert.title,
        "body": alert.body,
        "data": alert.data,
        "resolved_at": None if EVENTS[alert.event].lasts else alert.at,
        "routed": False,
    }
