"""Alerts and the states of their deliveries, for people."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, exists, or_, select

from configs.errors import did_you_mean
from serving.alerts.events import EVENTS, AlertError
from serving.journal.schema import alerts, deliveries

OPEN = "open"
STATES = ("waiting", "sending", "sent", "failed", "unknown", "off", OPEN)
_BATCH = 5_000


@dataclass(frozen=True, slots=True)
class Delivery:
    """The state of an alert on one channel; ``message`` is the id of the message that contains it."""

    channel: str
    state: str
    attempts: int
    sent_at: datetime | None
    message: str | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Record:
    """An alert and its deliveries; an open condition has no ``resolved_at``."""

    id: str
    bot: str
    event: str
    key: str
    phase: str
    severity: str
    created_at: datetime
    since: datetime
    resolved_at: datetime | None
    title: str
    body: str
    data: dict[str, Any]
    deliveries: list[Delivery] = field(default_factory=list)


def find_alerts(
    connection: Connection,
    *,
    state: str | None = None,
    event: str | None = None,
    identifier: str | None = None,
    bot: str | None = None,
    last: int = 50,
) -> list[Record]:
    """Return the newest alerts that fit, newest first.

    Parameters
    ----------
    connection
        Of the journal.
    state
        Of one of their deliveries; ``open`` means conditions that last.
    event, bot
        Only these.
    identifier
        Beginning of an alert's id, or of a message's; at least four characters.
    last
        How many.

    Raises
    ------
    AlertError
        There is no such state or event, or the identifier is none.
    """
    if state is not None and state not in STATES:
        raise AlertError(
            f"state {state!r} does not exist. {did_you_mean(state, STATES)}Choose one of: {', '.join(STATES)}."
        )
    if event is not None and event not in EVENTS:
        raise AlertError(
            f"event {event!r} does not exist. {did_you_mean(event, EVENTS)}Choose one of: {', '.join(EVENTS)}."
        )
    if identifier is not None and not re.fullmatch(r"[0-9a-f-]{4,36}", identifier.lower()):
        raise AlertError(f"id {identifier[:40]!r} is none. Give at least the first four characters of one.")
    wanted = select(alerts).order_by(alerts.c.created_at.desc(), alerts.c.event, alerts.c.key, alerts.c.id).limit(last)
    wanted = wanted if event is None else wanted.where(alerts.c.event == event)
    wanted = wanted if bot is None else wanted.where(alerts.c.bot == bot)
    own = deliveries.c.alert_id == alerts.c.id
    if state == OPEN:
        wanted = wanted.where(alerts.c.resolved_at.is_(None))
    elif state is not None:
        wanted = wanted.where(exists().where(own, deliveries.c.state == state))
    if identifier is not None:
        start = identifier.lower()
        in_message = exists().where(own, deliveries.c.group_id.startswith(start))
        wanted = wanted.where(or_(alerts.c.id.startswith(start), in_message))
    names = Record.__dataclass_fields__
    found = {
        row.id: Record(**{name: value for name, value in row._asdict().items() if name in names})
        for row in connection.execute(wanted)
    }
    ids = list(found)
    for first in range(0, len(ids), _BATCH):
        part = deliveries.c.alert_id.in_(ids[first : first + _BATCH])
        for row in connection.execute(select(deliveries).where(part).order_by(deliveries.c.channel)):
            one = Delivery(row.channel, row.state, int(row.attempts), row.sent_at, row.group_id, row.error)
            found[row.alert_id].deliveries.append(one)
    return list(found.values())
