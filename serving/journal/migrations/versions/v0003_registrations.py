"""Registrations of bots: their schedules, and when they were stopped."""

from __future__ import annotations

from alembic import op

from serving.journal.columns import json_value, moment, name

revision = "0003"
down_revision: str | None = "0002"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "registrations",
        name("bot", key=True),
        json_value("schedules"),
        moment("started_at"),
        moment("stopped_at", null=True),
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("registrations")
