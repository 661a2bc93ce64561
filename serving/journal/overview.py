"""What the journal has: rows by table, and the state of predictions by version."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, distinct, exists, func, select

from serving.journal.database import Journal
from serving.journal.migrate import version_of
from serving.journal.schema import metadata, outcomes, predictions


def overview(journal: Journal) -> dict[str, Any]:
    """Return the URL, the tables' version, rows by table, and predictions by kind and version.

    ``first`` and ``last`` are dates of bars, as ISO text.
    """
    with journal.connect() as connection:
        counts = {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in metadata.sorted_tables
        }
        return {
            "url": journal.url,
            "version": version_of(connection),
            "rows": counts,
            "predictions": _by_version(connection),
        }


def _by_version(connection: Connection) -> list[dict[str, Any]]:
    table = predictions.c
    known = exists().where(outcomes.c.prediction_id == table.id)
    statement = (
        select(
            table.kind,
            table.version,
            table.is_shadow,
            func.count().label("predictions"),
            func.count(distinct(table.symbol)).label("symbols"),
            func.sum(table.times_served).label("served"),
            func.count().filter(known).label("outcomes"),
            func.min(table.bar_date).label("first"),
            func.max(table.bar_date).label("last"),
        )
        .group_by(table.kind, table.version, table.is_shadow)
        .order_by(table.kind, func.max(table.bar_date).desc(), table.version)
    )
    rows = [dict(row._mapping) for row in connection.execute(statement)]
    for row in rows:
        row |= {"served": int(row["served"] or 0), "first": row["first"].isoformat(), "last": row["last"].isoformat()}
    return rows
