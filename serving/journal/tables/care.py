"""What watches and renews models: alerts, retraining, shadows, and the state of sequential tests."""

from __future__ import annotations

from sqlalchemy import Column, Date, Index, Table, UniqueConstraint

from serving.journal.columns import count, flag, identifier, json_value, moment, name, number, text
from serving.journal.tables.base import metadata

alerts = Table(
    "alerts",
    metadata,
    identifier(),
    name("bot"),
    name("event"),
    name("key", 255),
    name("occurrence"),  # distinguishes alerts of one key
    name("phase", 16),  # raised, repeated, resolved
    name("severity", 16),
    moment("created_at"),
    moment("since"),  # when its condition began
    text("title"),
    text("body"),
    json_value("data"),
    moment("resolved_at", null=True),  # null for the newest row of a condition that lasts
    flag("routed"),  # whether its deliveries exist
    UniqueConstraint("bot", "event", "key", "occurrence", "phase"),
    Index(None, "created_at"),
    Index(None, "bot", "event", "resolved_at"),
    Index(None, "bot", "routed"),
)

deliveries = Table(
    "deliveries",
    metadata,
    identifier("alert_id", "alerts.id"),
    name("channel", key=True),
    name("state", 16),  # waiting, sending, sent, failed, unknown, off
    moment("queued_at"),
    count("attempts", default="0"),
    moment("attempted_at", null=True),
    moment("next_attempt_at", null=True),
    moment("sent_at", null=True),
    name("group_id", null=True),  # the message that contains it
    count("token", default="0"),  # of the lease under which it was attempted
    flag("mentioned"),  # whether a later message said that it may be missing
    text("error", null=True),
    Index(None, "channel", "state"),
    Index(None, "channel", "attempted_at"),
)

retrainings = Table(
    "retrainings",
    metadata,
    identifier(),
    name("kind", 16),
    text("reason"),
    moment("started_at"),
    moment("finished_at", null=True),
    name("version", 128, null=True),
    flag("promoted", null=True),
    count("symbols", default="0"),
    text("error", null=True),
    json_value("data", null=True),
    Index(None, "kind", "started_at"),
)

shadows = Table(
    "shadows",
    metadata,
    name("kind", 16, key=True),
    name("shadow", 128, key=True),
    moment("since", key=True),
    name("champion", 128),
    number("log_e"),
    count("n_days"),
    moment("ended_at", null=True),
    name("verdict", 32, null=True),
    json_value("state", null=True),
)

monitor_states = Table(
    "monitor_states",
    metadata,
    name("name", 255, key=True),
    Column("day", Date, primary_key=True),
    json_value("state"),
)
