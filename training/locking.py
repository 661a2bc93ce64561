"""One writer at a time for a small shared file of a local store."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from configs.errors import StoreError
from features.store import Store


@contextmanager
def exclusive(store: Store, relative: str, timeout_s: float = 300.0) -> Iterator[None]:
    """Hold the lock file ``relative``; the operating system frees it when its holder ends, however it ends.

    Object stores have no such lock: there every write is whole by itself, and of two writers the last one wins.

    Raises
    ------
    StoreError
        The lock file cannot be written, or another process holds it for longer than ``timeout_s``.
    """
    if not store.is_local:
        yield
        return
    path = store.path(relative)
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise StoreError(
            f"cannot write {path!r}: {error}. Check that the store is writable, or choose another with --store."
        ) from error
    try:
        _acquire(handle, path, timeout_s)
        yield
    finally:
        os.close(handle)


def _acquire(handle: int, path: str, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as error:
            if time.monotonic() >= deadline:
                raise StoreError(
                    f"another process has held {path!r} for {timeout_s:g} s. Wait for it to end, or end it."
                ) from error
            time.sleep(0.02)
        except OSError as error:
            raise StoreError(
                f"cannot lock {path!r}: {error}. Use a store on a file system that supports locks."
            ) from error
