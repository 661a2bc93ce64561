"""What bots do: steps, signals, orders, fills, positions, accounts, the runs of their tasks, and their schedules."""

from __future__ import annotations

from sqlalchemy import Index, Table, UniqueConstraint

from serving.journal.columns import count, identifier, json_value, moment, name, number, text
from serving.journal.tables.base import metadata

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

registrations = Table(
    "registrations",
    metadata,
    name("bot", key=True),
    json_value("schedules"),  # by task; empty if runs are started from outside
    moment("started_at"),
    moment("stopped_at", null=True),  # on purpose
)
