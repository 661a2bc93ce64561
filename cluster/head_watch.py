"""Ends a command whose cluster has lost its head, in one line: Ray would wait a minute, then end the process itself."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_CONNECT_S = 3.0
_PATIENCE_S = 45.0  # Ray's own ends after 60; a head whose state outlives it may come back before


@contextmanager
def ended_without_head(address: str, kept: str, patience_s: float = _PATIENCE_S, look_s: float = 3.0) -> Iterator[None]:
    """Print what is ``kept`` and end this process with exit code 2, once the head has not answered for so long.

    Calls that wait inside of Ray can neither be interrupted nor told the end, so nothing is cleaned up here.
    """
    host, _, port = address.rpartition(":")
    over = threading.Event()

    def watch() -> None:
        answered = time.monotonic()
        while not over.wait(look_s):
            try:
                socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_S).close()
            except OSError as error:
                if time.monotonic() - answered > patience_s:
                    print(
                        f"error: the Ray cluster was lost: its head at {address} has not answered for "
                        f"{patience_s:.0f} s ({error}){kept}",
                        file=sys.stderr,
                        flush=True,
                    )
                    os._exit(2)
            else:
                answered = time.monotonic()

    thread = threading.Thread(target=watch, name="head-watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
