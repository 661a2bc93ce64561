"""What a listing of a store says about one file or folder."""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """Name, size in bytes (``None`` for a folder) and time of the last change (ns since 1970).

    ``names`` is the number of hard links to a file; ``tag`` is the bucket's identifier of an object's state.
    """

    name: str
    size: int | None
    changed_ns: int
    names: int = 1
    tag: str = ""
