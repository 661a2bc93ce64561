"""Predictions, their outcomes, and leases."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Index, SmallInteger, UniqueConstraint

from serving.journal.columns import count, flag, identifier, json_value, moment, name, number

revision = "0001"
down_revision: str | None = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "predictions",
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
        number("band", null=True),
        number("p_down", null=True),
        number("p_sideways", null=True),
        number("p_up", null=True),
        flag("in_set_down", null=True),
        flag("in_set_sideways", null=True),
        flag("in_set_up", null=True),
        number("variance", null=True),
        number("low", null=True),
        number("high", null=True),
        number("level", null=True),
        number("bars_per_year", null=True),
        moment("target_close", null=True),
        json_value("baselines"),
        flag("is_shadow"),
        count("times_served", default="0"),
        moment("first_served", null=True),
        moment("last_served", null=True),
        UniqueConstraint("symbol", "kind", "bar_close", "horizon_bars", "version"),
        Index(None, "kind", "bar_close"),
    )
    op.create_table(
        "outcomes",
        identifier("prediction_id", "predictions.id"),
        count("revision", key=True),
        moment("known_at"),
        moment("bar_date"),
        moment("bar_close"),
        number("log_return"),
        Column("label", SmallInteger, nullable=True),
        number("variance"),
    )
    op.create_table(
        "leases",
        name("name", key=True),
        name("holder", 255),
        count("token"),
        moment("expires_at"),
    )


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("leases")
    op.drop_table("outcomes")
    op.drop_table("predictions")
