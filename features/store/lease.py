"""Leases: locks for stores that have none, out of conditional writes alone.

The lock is an object that names its holder and a count of beats. The holder beats every few seconds; whoever waits
watches, by its own clock, and takes over what has not changed for a whole term. No two clocks are compared. A holder
that was stopped for longer than a term, and was taken for dead, is told at the end.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from typing import Protocol

from configs.errors import StoreError
from features.store.heartbeat import beating

TERM_S = 30.0
_BEATS = 6  # a term: a beat may come late, or be lost
_LOOK_S = 0.25
_FREE = b"{}"


class Files(Protocol):
    """What a lease needs of a store: reading, and a change that is one step or nothing."""

    def read(self, path: str) -> bytes:
        """Return an object's bytes."""
        ...

    def update(self, path: str, change: Callable[[bytes | None], bytes | None]) -> bool:
        """Read, change and write as one step."""
        ...


@contextmanager
def held(files: Files, path: str, *, wait: bool = True, term_s: float = TERM_S) -> Iterator[None]:
    """Hold the lease at ``path``, waiting for whoever has it, or for a term in which nothing is heard of them.

    Parameters
    ----------
    files
        Where the lease lies.
    path
        Its name.
    wait
        Whether to wait; without, a lease that another holds is a ``BlockingIOError``.
    term_s
        Seconds without a beat after which a holder counts as dead.

    Raises
    ------
    StoreError
        The lease was lost to another in the meantime.
    """
    holder = uuid.uuid4().hex
    seen, since = _state(files, path), time.monotonic()
    while not _taken(files, path, holder, dead=seen if time.monotonic() - since > term_s else None):
        if not wait:
            raise BlockingIOError(f"another holds {path!r}")
        time.sleep(_LOOK_S)
        if (found := _state(files, path)) != seen:
            seen, since = found, time.monotonic()
    beats, lost = count(1), False

    def renew() -> bool:
        nonlocal lost
        with suppress(StoreError):  # the next beat may get through
            lost = not _ours(files, path, holder, _spelled(holder, next(beats)))
        return not lost

    try:
        with beating(term_s / _BEATS, renew):
            yield
    finally:
        with suppress(StoreError):  # it will be taken over after a term
            lost = not _ours(files, path, holder, _FREE) or lost
    if lost:
        raise StoreError(f"this process was silent for so long that another took over {path!r}. Run the command again.")


def _taken(files: Files, path: str, holder: str, dead: bytes | None) -> bool:
    """Take a lease that is free, or still in the state in which its holder died; return whether it is ours."""

    def change(data: bytes | None) -> bytes | None:
        return _spelled(holder, 0) if _owner(data) is None or data == dead else None

    # Where the answer to a write is lost, the client writes again, and finds its own first write there.
    return files.update(path, change) or _owner(_state(files, path)) == holder


def _ours(files: Files, path: str, holder: str, data: bytes) -> bool:
    """Write over a lease that is still ours; return whether it was."""
    return files.update(path, lambda found: data if _owner(found) == holder else None) or (_state(files, path) == data)


def _state(files: Files, path: str) -> bytes:
    try:
        return files.read(path)
    except FileNotFoundError:
        return _FREE


def _owner(data: bytes | None) -> str | None:
    with suppress(ValueError):
        return str(json.loads(data or _FREE).get("holder") or "") or None
    return None


def _spelled(holder: str, beat: int) -> bytes:
    return json.dumps({"holder": holder, "beat": beat}).encode()
