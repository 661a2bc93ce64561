"""What bots, alerts and retraining record."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Date, Index, UniqueConstraint

from serving.journal.columns import count, flag, identifier, json_value, moment, name, number, text

revision = "0002"
down_revision: str | None = "0001"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "steps",
        name("bot", key=True),
        moment("instant", key=True),
        moment("started_at"),
        moment("finished_at"),
        count("symbols"),
        json_value("notes"),
        json_value("state", null=True),
    )
    op.create_table(
        "signals",
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
    op.create_table(
        "orders",
        identifier(),
        name("bot"),
        name("symbol"),
        moment("bar_date"),
        moment("bar_close"),
        name("kind", 32),
        number("quantity"),
        text("reason", null=True),
        name("state", 16),
        UniqueConstraint("bot", "symbol", "bar_close", "kind"),
        Index(None, "bot", "state"),
    )
    op.create_table(
        "fills",
        identifier(),
        identifier("order_id", "orders.id", key=False),
        name("bot"),
        name("symbol"),
        moment("bar_date"),
        moment("bar_close"),
        number("quantity"),
        number("price"),
        number("spread"),
        number("slippage"),
        number("impact"),
        number("commission"),
        Index(None, "order_id"),
        Index(None, "bot", "bar_close"),
    )
    op.create_table(
        "positions",
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
    op.create_table(
        "accounts",
        name("bot", key=True),
        moment("instant", key=True),
        number("cash"),
        number("equity"),
        number("gross"),
        number("net"),
        number("daily_return", null=True),
        number("drawdown"),
    )
    op.create_table(
        "alerts",
        identifier(),
        name("bot"),
        name("event"),
        name("key", 255),
        name("occurrence"),
        name("phase", 16),
        name("severity", 16),
        moment("created_at"),
        moment("since"),
        text("title"),
        text("body"),
        json_value("data"),
        moment("resolved_at", null=True),
        flag("routed"),
        UniqueConstraint("bot", "event", "key", "occurrence", "phase"),
        Index(None, "created_at"),
        Index(None, "bot", "event", "resolved_at"),
        Index(None, "bot", "routed"),
    )
    op.create_table(
        "deliveries",
        identifier("alert_id", "alerts.id"),
        name("channel", key=True),
        name("state", 16),
        moment("queued_at"),
        count("attempts", default="0"),
        moment("attempted_at", null=True),
        moment("next_attempt_at", null=True),
        moment("sent_at", null=True),
        name("group_id", null=True),
        count("token", default="0"),
        flag("mentioned"),
        text("error", null=True),
        Index(None, "channel", "state"),
        Index(None, "channel", "attempted_at"),
    )
    op.create_table(
        "task_runs",
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
    op.create_table(
        "retrainings",
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
    op.create_table(
        "shadows",
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
    op.create_table(
        "monitor_states",
        name("name", 255, key=True),
        Column("day", Date, primary_key=True),
        json_value("state"),
    )


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("monitor_states")
    op.drop_table("shadows")
    op.drop_table("retrainings")
    op.drop_table("task_runs")
    op.drop_table("deliveries")
    op.drop_table("alerts")
    op.drop_table("accounts")
    op.drop_table("positions")
    op.drop_table("fills")
    op.drop_table("orders")
    op.drop_table("signals")
    op.drop_table("steps")
