"""Predictions, their outcomes, and leases."""

from __future__ import annotations

from sqlalchemy import Column, Index, SmallInteger, Table, UniqueConstraint

from serving.journal.columns import count, flag, identifier, json_value, moment, name, number
from serving.journal.tables.base import metadata

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

leases = Table(
    "leases",
    metadata,
    name("name", key=True),
    name("holder", 255),
    count("token"),  # grows with every change of holder
    moment("expires_at"),
)
