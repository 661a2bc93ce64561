"""Deliveries: a row per alert and channel, from waiting to sent.

A message is claimed (``sending``) in one transaction and finished in another. A row that is ``sending`` under an older
token of the channel's lease belongs to a process that ended or lost the lease in between: whether its message arrived
is not known, so it becomes ``unknown`` and is not sent again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, func, select, update

from configs.alerts import AlertsConfig, Severity
from serving.alerts.channel import Channel, Receipt
from serving.alerts.messages import Earlier, Entry
from serving.alerts.policy import History, mode_of, next_attempt
from serving.journal.schema import alerts, deliveries, row_id
from serving.journal.upsert import insert_new

MOST = 5_000
_ROWS_A_ROUTING = 20_000
_LISTED = 100
_ENDED = "the process that sent it ended, or was replaced, before an answer was recorded"
_EXPIRED = "it could not be sent within alerts.expire_hours"
_MINUTE = timedelta(seconds=120)
_ALERT = (
    alerts.c.id,
    alerts.c.bot,
    alerts.c.event,
    alerts.c.key,
    alerts.c.severity,
    alerts.c.phase,
    alerts.c.created_at,
    alerts.c.since,
    alerts.c.title,
    alerts.c.body,
)


@dataclass(frozen=True, slots=True)
class Claim:
    """A message to send: its alerts, its number, the token under which it was claimed, and what it says of others."""

    channel: str
    number: str
    token: int
    entries: tuple[Entry, ...]
    earlier: Earlier
    mentioned: tuple[str, ...]
    silent: bool


def route(
    connection: Connection, bot: str, channels: Mapping[str, Severity], settings: AlertsConfig, now: datetime
) -> int:
    """Make the deliveries of a bot's new alerts, and return how many alerts there were.

    ``channels`` are names with the least severity that each sends. An alert that a channel does not send gets the state
    ``off``, so that a channel that is added later does not send past alerts.
    """
    found = connection.execute(
        select(alerts.c.id, alerts.c.event, alerts.c.severity)
        .where(alerts.c.bot == bot, alerts.c.routed.is_(False))
        .order_by(alerts.c.created_at)
        .limit(_ROWS_A_ROUTING)
    ).all()
    rows = [
        {
            "alert_id": row.id,
            "channel": name,
            "state": "off" if mode_of(row.event, row.severity, minimum, settings.events) == "off" else "waiting",
            "queued_at": now,
            "mentioned": False,
        }
        for row in found
        for name, minimum in channels.items()
    ]
    if rows:
        connection.execute(insert_new(connection, deliveries), rows)
    for start in range(0, len(found), MOST):
        part = [row.id for row in found[start : start + MOST]]
        connection.execute(update(alerts).where(alerts.c.id.in_(part)).values(routed=True))
    return len(found)


def claim(
    connection: Connection, bot: str, channel: Channel, token: int, settings: AlertsConfig, now: datetime
) -> Claim | datetime | None:
    """Claim the next message of a channel, oldest alerts first; a time before which none may be sent; None without any.

    Parameters
    ----------
    connection
        A write transaction in which the channel's lease was checked.
    token
        Of the lease.
    """
    _close(connection, channel.name, token, settings, now)
    waiting = and_(deliveries.c.channel == channel.name, deliveries.c.state == "waiting", alerts.c.bot == bot)
    joined = deliveries.join(alerts, deliveries.c.alert_id == alerts.c.id)
    order = (alerts.c.created_at, alerts.c.event, alerts.c.key, alerts.c.id)
    first = connection.execute(select(*_ALERT).select_from(joined).where(waiting).order_by(*order).limit(1)).first()
    if first is None:
        return None
    due = next_attempt(now, history(connection, channel.name, now), channel.limits.pace)
    if due > now:
        return due
    same = [waiting, alerts.c.created_at == first.created_at]
    same += [alerts.c.event == first.event] if settings.group_by != "scan" else []
    most = 1 if settings.group_by == "alert" else MOST
    rows = connection.execute(select(*_ALERT).select_from(joined).where(*same).order_by(*order).limit(most)).all()
    entries = tuple(entry_of(row) for row in rows)
    number = message_number(channel.name, [one.id for one in entries])
    change = {
        "state": "sending",
        "attempts": deliveries.c.attempts + 1,
        "attempted_at": now,
        "next_attempt_at": None,
        "group_id": number,
        "token": token,
    }
    mine = and_(deliveries.c.channel == channel.name, deliveries.c.alert_id.in_([one.id for one in entries]))
    connection.execute(update(deliveries).where(mine).values(change))
    earlier, mentioned = _earlier(connection, bot, channel.name)
    modes = {mode_of(one.event, one.severity, channel.minimum, settings.events) for one in entries}
    return Claim(channel.name, number, token, entries, earlier, mentioned, silent=modes <= {"silent"})


def finish(connection: Connection, claimed: Claim, receipt: Receipt, now: datetime) -> None:
    """Record how an attempt ended, also if another process has meanwhile declared it unknown."""
    mine = and_(
        deliveries.c.channel == claimed.channel,
        deliveries.c.group_id == claimed.number,
        deliveries.c.token == claimed.token,
        deliveries.c.state.in_(("sending", "unknown")),
    )
    wait_s = receipt.retry_after_s
    values: dict[str, Any] = {"state": receipt.outcome, "error": receipt.error or None}
    values["sent_at"] = now if receipt.outcome == "sent" else None
    if receipt.outcome == "waiting":
        values["next_attempt_at"] = None if wait_s is None else now + timedelta(seconds=wait_s)
        mine = and_(mine, deliveries.c.state == "sending")
    connection.execute(update(deliveries).where(mine).values(values))
    if receipt.outcome == "sent" and claimed.mentioned:
        named = and_(deliveries.c.channel == claimed.channel, deliveries.c.alert_id.in_(claimed.mentioned))
        connection.execute(update(deliveries).where(named).values(mentioned=True))


def history(connection: Connection, channel: str, now: datetime) -> History:
    """Return what is recorded of a channel's attempts."""
    own = deliveries.c.channel == channel
    past = deliveries.c.attempted_at <= now  # times after it are from before a clock was set back
    sent = select(deliveries.c.sent_at).where(own, past, deliveries.c.state == "sent")
    last_sent = connection.execute(sent.order_by(deliveries.c.attempted_at.desc()).limit(1)).scalar()
    tried = [own, deliveries.c.attempted_at.is_not(None)]
    since = tried if last_sent is None else [*tried, deliveries.c.attempted_at > last_sent]
    failed = connection.execute(
        select(func.max(deliveries.c.attempts), func.max(deliveries.c.attempted_at))
        .where(*since, deliveries.c.state.in_(("waiting", "unknown")))
        .group_by(deliveries.c.group_id)
    ).all()
    recent = connection.execute(
        select(deliveries.c.attempted_at).where(own, deliveries.c.attempted_at > now - _MINUTE).distinct()
    ).scalars()
    attempts = [*recent, *(row[1] for row in failed)]
    waits = and_(own, deliveries.c.state == "waiting", deliveries.c.attempts > 0)
    retry_at = connection.execute(select(func.max(deliveries.c.next_attempt_at)).where(waits)).scalar()
    return History(sorted(set(attempts)), sum(int(row[0]) for row in failed), retry_at)


def message_number(channel: str, ids: Sequence[str]) -> str:
    """Return the number of a message: the alert's identifier if it contains one, else one derived from all."""
    return ids[0] if len(ids) == 1 else row_id("message", channel, *sorted(ids))


def entry_of(row: Any) -> Entry:
    """Return an alert's row as messages show it."""
    facts = {name: value for name, value in row._asdict().items() if name in Entry.__dataclass_fields__}
    return Entry(**facts, at=row.created_at)


def _close(connection: Connection, channel: str, token: int, settings: AlertsConfig, now: datetime) -> None:
    """Close what a former process left, and what waited for too long."""
    own = deliveries.c.channel == channel
    left = and_(own, deliveries.c.state == "sending", deliveries.c.token != token)
    connection.execute(update(deliveries).where(left).values(state="unknown", error=_ENDED))
    old = deliveries.c.queued_at < now - timedelta(hours=settings.expire_hours)
    expired = and_(own, deliveries.c.state == "waiting", old)
    error = func.coalesce(_EXPIRED + ": " + deliveries.c.error, _EXPIRED)
    connection.execute(update(deliveries).where(expired).values(state="failed", error=error))


def _earlier(connection: Connection, bot: str, channel: str) -> tuple[Earlier, tuple[str, ...]]:
    """Return what a message says of earlier ones, and the alerts that are then mentioned."""
    joined = deliveries.join(alerts, deliveries.c.alert_id == alerts.c.id)
    own: list[ColumnElement[bool]] = [
        deliveries.c.channel == channel,
        alerts.c.bot == bot,
        deliveries.c.mentioned.is_(False),
    ]

    def those(state: str, most: int) -> list[Row[Any]]:
        wanted = select(*_ALERT).select_from(joined).where(*own, deliveries.c.state == state)
        return list(connection.execute(wanted.order_by(alerts.c.created_at, alerts.c.id).limit(most)))

    unconfirmed, failed = those("unknown", MOST), those("failed", MOST)
    ids = tuple(row.id for row in (*unconfirmed, *failed))
    return Earlier(tuple(entry_of(row) for row in unconfirmed), len(failed)), ids
