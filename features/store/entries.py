"""What lies in a store, as a listing tells it."""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """A file or folder: its name, size in bytes (``None`` for a folder) and time of change (ns since 1970).

    ``names`` counts the names that a file has on its disk; ``tag`` is what a bucket tells states of an object apart by.
    """

    name: str
    size: int | None
    changed_ns: int
    names: int = 1
    tag: str = ""
