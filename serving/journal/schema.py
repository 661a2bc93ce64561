"""The tables of the journal. ``migrations/`` makes the same in steps; a test compares them.

Times are aware and in UTC. ``bar_close`` is when a bar was complete, ``bar_date`` its date in the lake: midnight UTC of
the session for daily bars, the same time as in the lake for others. Identifiers are derived from what a row is about
(:func:`row_id`), so writing a row again gives the same one.
"""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import Column, Date, Index, MetaData, SmallInteger, Table, UniqueConstraint

from serving.journal.columns import count, flag, identifier, json_value, moment, name, number, text

HEAD = "0002"
"""The newest migration."""
NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = MetaData(naming_convention=NAMES)
_NAMESPACE = uuid.UUID("6d1f7f0e-8a53-5d5c-9f0e-0c5b0d2b7a11")


def row_id(*parts: Any) -> str:
    """Return the identifier of a row: the UUID (version 5) of the parts of its natural key, as they are in text."""
    return str(uuid.uuid5(_NAMESPACE, "\x1f".join(map(str, parts))))


predictions = Table(
    "predictions",
    metadata,
    identifier(),
    name("symbol"),
    name("kind", 16),
    moment("bar_date"),
    moment("bar_close"),
    count("horizon_bars"),
    name("version", 128),
    moment("made_at"),
    name("made_by", 128),
    name("basis", 8),
    flag("fallback"),
    number("close"),
    number("band", null=True),  # half width of sideways, as a log return over the horizon
    number("p_down", null=True),
    number("p_sideways", null=True),
    number("p_up", null=True),
    flag("in_set_down", null=True),
    flag("in_set_sideways", null=True),
    flag("in_set_up", null=True),
    number("variance", null=True),  # with low and high: mean variances a bar over the horizon
    number("low", null=True),
    number("high", null=True),
    number("level", null=True),  # with which the label set or the interval contains the outcome
    number("bars_per_year", null=True),
    moment("target_close", null=True),
    json_value("baselines"),  # {name: variance, or [p_down, p_sideways, p_up]}
    flag("is_shadow"),
    count("times_served", default="0"),
    moment("first_served", null=True),
    moment("last_served", null=True),
    UniqueConstraint("symbol", "kind", "bar_close", "horizon_bars", "version"),
    Index(None, "kind", "bar_close"),
)

outcomes = Table(
    "outcomes",
    metadata,
    identifier("prediction_id", "predictions.id"),
    count("revision", key=True),  # from 0
    moment("known_at"),
    moment("bar_date"),  # with bar_close: of the last bar of the horizon
    moment("bar_close"),
    number("log_return"),
    Column("label", SmallInteger, nullable=True),  # 0 down, 1 sideways, 2 up
    number("variance"),  # mean a bar over the horizon
)

steps = Table(
    "steps",
    metadata,
    name("bot", key=True),
    moment("instant", key=True),
    moment("started_at"),
    moment("finished_at"),
    count("symbols"),
    json_value("notes"),
    json_value("state", null=True),  # from which the next step goes on
)

signals = Table(
    "signals",
    metadata,
    name("bot", key=True),
    moment("bar_close", key=True),
    name("symbol", key=True),
    moment("bar_date"),
    name("strategy", 255),
    name("action", 8),
    name("direction", 16, null=True),
    number("confidence", null=True),
    number("strength", null=True),
    number("position_size"),
    number("stop", null=True),
    number("take_profit", null=True),
    number("volatility", null=True),
    name("regime", 16),
    json_value("reasons"),
)

orders = Table(
    "orders",
    metadata,
    identifier(),
    name("bot"),
    name("symbol"),
    moment("bar_date"),
    moment("bar_close"),  # at which it was decided
    name("kind", 32),
    number("quantity"),
    text("reason", null=True),
    name("state", 16),  # open, filled, part, cancelled, refused
    UniqueConstraint("bot", "symbol", "bar_close", "kind"),
    Index(None, "bot", "state"),
)

fills = Table(
    "fills",
    metadata,
    identifier(),
    identifier("order_id", "orders.id", key=False),
    name("bot"),
    name("symbol"),
    moment("bar_date"),
    moment("bar_close"),  # of the bar in which it was filled
    number("quantity"),
    number("price"),
    number("spread"),
    number("slippage"),
    number("impact"),
    number("commission"),
    Index(None, "order_id"),
    Index(None, "bot", "bar_close"),
)

positions = Table(
    "positions",
    metadata,
    name("bot", key=True),
    moment("instant", key=True),
    name("symbol", key=True),
    number("quantity"),
    number("mark", null=True),
    number("value"),
    number("realised_pnl"),
    number("unrealised_pnl"),
    number("costs"),
)

accounts = Table(
    "accounts",
    metadata,
    name("bot", key=True),
    moment("instant", key=True),
    number("cash"),
    number("equity"),
    number("gross"),
    number("net"),
    number("daily_return", null=True),
    number("drawdown"),
)

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

leases = Table(
    "leases",
    metadata,
    name("name", key=True),
    name("holder", 255),
    count("token"),  # grows with every change of holder
    moment("expires_at"),
)

task_runs = Table(
    "task_runs",
    metadata,
    name("bot", key=True),
    name("task", key=True),
    moment("due_at", key=True),
    moment("started_at"),
    moment("finished_at", null=True),
    name("outcome", 16, null=True),
    count("missed", default="0"),
    text("error", null=True),
    Index(None, "bot", "started_at"),
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
