"""Repeating a call in the background."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def beating(every_s: float, beat: Callable[[], bool], patience_s: float | None = None) -> Iterator[None]:
    """Call ``beat`` every ``every_s`` seconds until it returns false or the block ends.

    At the end of the block a running call is waited for, at most ``patience_s`` seconds (default: until it returns).
    """
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(every_s) and beat():
            pass

    thread = threading.Thread(target=run, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(patience_s)
