"""Records of trainings in the journal; a lease of each kind keeps them one at a time."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from configs.values import Kind
from serving.journal.leases import FREE, is_valid
from serving.journal.schema import leases, retrainings, row_id
from serving.journal.upsert import insert_new

INTERRUPTED = "interrupted"


def lease_name(kind: str) -> str:
    """Return the name of the lease of a kind's trainings."""
    return f"retrain/{kind}"


def begin_run(
    connection: Connection, kind: Kind, reason: str, started_at: datetime, symbols: int, data: dict[str, Any]
) -> str:
    """Record that a training starts, end those of the kind that were interrupted, and return its identifier."""
    left = (retrainings.c.kind == kind, retrainings.c.finished_at.is_(None))
    connection.execute(update(retrainings).where(*left).values(finished_at=started_at, error=INTERRUPTED))
    identifier = row_id("retraining", kind, started_at.isoformat())
    row = {"id": identifier, "kind": kind, "reason": reason, "started_at": started_at, "symbols": symbols, "data": data}
    connection.execute(insert_new(connection, retrainings), row)
    return identifier


def end_run(
    connection: Connection,
    identifier: str,
    finished_at: datetime,
    data: dict[str, Any],
    *,
    version: str | None = None,
    promoted: bool | None = None,
    error: str | None = None,
) -> None:
    """Record how a training ended."""
    values = {"finished_at": finished_at, "version": version, "promoted": promoted, "error": error, "data": data}
    connection.execute(update(retrainings).where(retrainings.c.id == identifier).values(values))


def newest_run(connection: Connection, kind: Kind) -> Row[Any] | None:
    """Return the record of the newest training of a kind."""
    wanted = select(retrainings).where(retrainings.c.kind == kind).order_by(retrainings.c.started_at.desc())
    return connection.execute(wanted.limit(1)).first()


def running_since(connection: Connection, kind: Kind, now: datetime) -> datetime | None:
    """Return when the training of a kind started that is in progress."""
    held = select(leases.c.holder, leases.c.expires_at).where(leases.c.name == lease_name(kind))
    lease = connection.execute(held).first()
    newest = newest_run(connection, kind)
    if lease is None or lease.holder == FREE or not is_valid(lease.expires_at, now):
        return None
    return newest.started_at if newest is not None and newest.finished_at is None else now


def unfinished(run: Row[Any] | None) -> str:
    """Return why a training is to be continued; empty if it is not."""
    if run is None:
        return ""
    if run.finished_at is None or run.error == INTERRUPTED:
        return "it was interrupted"
    left = int((run.data or {}).get("left", 0))
    return f"{left:,} blocks were beyond its budget" if left else ""
