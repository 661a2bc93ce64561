"""Leases: locks for stores that offer conditional writes only.

A lease is an object that names its holder and counts heartbeats, which the holder writes every few seconds. A waiting
process measures, by its own clock, how long the object has not changed, and takes the lease over after one term. Clocks
of different machines are never compared. A holder that stalled for a term and lost its lease gets an error.
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
from configs.safe_json import parse_json
from features.store.heartbeat import beating

TERM_S = 30.0
_BEATS_PER_TERM = 6  # so that a heartbeat may be late or lost
_POLL_S = 0.25
_FREE = b"{}"


class Files(Protocol):
    """The operations of a store that a lease needs."""

    def read(self, path: str) -> bytes:
        """Return an object's bytes."""
        ...

    def update(self, path: str, change: Callable[[bytes | None], bytes | None]) -> bool:
        """Read, change and write an object in one step; return whether it was written."""
        ...


@contextmanager
def hold_lease(files: Files, path: str, *, wait: bool = True, term_s: float = TERM_S) -> Iterator[None]:
    """Hold the lease at ``path``, after waiting until it is free or was not renewed for a term.

    Parameters
    ----------
    files
        The store of the lease.
    path
        Its name.
    wait
        Whether to wait for another holder; otherwise its lease is a ``BlockingIOError``.
    term_s
        Seconds without a heartbeat after which a holder counts as dead.

    Raises
    ------
    StoreError
        Another process took the lease over before the block ended.
    """
    holder = uuid.uuid4().hex
    seen, since = _state(files, path), time.monotonic()
    while not _acquire(files, path, holder, dead=seen if time.monotonic() - since > term_s else None):
        if not wait:
            raise BlockingIOError(f"another process holds {path!r}")
        time.sleep(_POLL_S)
        if (state := _state(files, path)) != seen:
            seen, since = state, time.monotonic()
    beats, lost = count(1), False

    def renew() -> bool:
        nonlocal lost
        with suppress(StoreError):  # the next heartbeat may succeed
            lost = not _replace(files, path, holder, _serialise(holder, next(beats)))
        return not lost

    try:
        with beating(term_s / _BEATS_PER_TERM, renew):
            yield
    finally:
        with suppress(StoreError):  # the lease expires after a term
            lost = not _replace(files, path, holder, _FREE) or lost
    if lost:
        raise StoreError(f"this process did not renew {path!r} in time and another took over. Run the command again.")


def _acquire(files: Files, path: str, holder: str, dead: bytes | None) -> bool:
    """Take a lease that is free or still in the state ``dead``; return whether ``holder`` has it now."""

    def change(data: bytes | None) -> bytes | None:
        return _serialise(holder, 0) if _holder(data) is None or data == dead else None

    # If the response to a write is lost, the client repeats the write and finds its own first one.
    return files.update(path, change) or _holder(_state(files, path)) == holder


def _replace(files: Files, path: str, holder: str, data: bytes) -> bool:
    """Overwrite a lease that ``holder`` still has; return whether it had it."""
    written = files.update(path, lambda current: data if _holder(current) == holder else None)
    return written or _state(files, path) == data


def _state(files: Files, path: str) -> bytes:
    try:
        return files.read(path)
    except FileNotFoundError:
        return _FREE


def _holder(data: bytes | None) -> str | None:
    with suppress(ValueError):
        return str(parse_json(data or _FREE).get("holder") or "") or None
    return None


def _serialise(holder: str, beat: int) -> bytes:
    return json.dumps({"holder": holder, "beat": beat}).encode()
