"""Memory between two steps of reading a large table."""

from __future__ import annotations

import pyarrow as pa

_MANY_ROWS = 100_000


def release(rows: int) -> None:
    """Return to the system what Arrow freed and keeps, if a table has many rows.

    Arrow does so by itself later: two million bars would take 0.8 or 1.2 GB, depending on the timing.
    """
    if rows > _MANY_ROWS:
        pa.default_memory_pool().release_unused()
