"""Something done again and again in the background, while something else goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def beating(every_s: float, beat: Callable[[], bool], patience_s: float | None = None) -> Iterator[None]:
    """Call ``beat`` every so many seconds until it returns false or the block ends.

    ``patience_s`` bounds how long the end waits for a beat under way; by default it waits for it.
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
