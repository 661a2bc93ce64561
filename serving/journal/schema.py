"""The tables of the journal. ``migrations/`` makes the same in steps; a test compares them.

Times are aware and in UTC. ``bar_close`` is when a bar was complete, ``bar_date`` its date in the lake: midnight UTC of
the session for daily bars, the same time as in the lake for others. Identifiers are derived from what a row is about
(:func:`row_id`), so writing a row again gives the same one.
"""

from __future__ import annotations

import uuid
from typing import Any

from serving.journal.tables.base import metadata
from serving.journal.tables.bots import accounts, fills, orders, positions, registrations, signals, steps, task_runs
from serving.journal.tables.care import alerts, deliveries, monitor_states, retrainings, shadows
from serving.journal.tables.forecasts import leases, outcomes, predictions

__all__ = [
    "HEAD",
    "accounts",
    "alerts",
    "deliveries",
    "fills",
    "leases",
    "metadata",
    "monitor_states",
    "orders",
    "outcomes",
    "positions",
    "predictions",
    "registrations",
    "retrainings",
    "row_id",
    "shadows",
    "signals",
    "steps",
    "task_runs",
]

HEAD = "0003"
"""The newest migration."""
_NAMESPACE = uuid.UUID("6d1f7f0e-8a53-5d5c-9f0e-0c5b0d2b7a11")


def row_id(*parts: Any) -> str:
    """Return the identifier of a row: the UUID (version 5) of the parts of its natural key, as they are in text."""
    return str(uuid.uuid5(_NAMESPACE, "\x1f".join(map(str, parts))))
