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
_LOOK_S = 3.0
_SOONER_S = 15.0  # than Ray, whose patience is for a head whose state outlives it
_SHOW_CURSOR = "\x1b[?25h"


@contextmanager
def ended_without_head(
    address: str, kept: str, patience_s: float | None = None, look_s: float = _LOOK_S
) -> Iterator[None]:
    """Print what is ``kept`` and end this process with exit code 2, once the head has not answered for so long.

    Calls that wait inside of Ray can neither be interrupted nor told the end, so nothing is cleaned up here. By default
    the patience is Ray's own (``RAY_gcs_rpc_server_reconnect_timeout_s``, 60 s), less a little.
    """
    ray_s = float(os.environ.get("RAY_gcs_rpc_server_reconnect_timeout_s", "60"))
    patience_s = max(ray_s - _SOONER_S, _LOOK_S) if patience_s is None else patience_s
    over = threading.Event()

    def watch() -> None:
        answered = time.monotonic()
        while not over.wait(look_s):
            try:
                reach(address)
            except OSError as error:
                if time.monotonic() - answered > patience_s and not over.is_set():
                    _end(f"its head at {address} has not answered for {patience_s:.0f} s ({error}){kept}")
            else:
                answered = time.monotonic()

    thread = threading.Thread(target=watch, name="head-watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(_CONNECT_S + 1.0)


def reach(address: str) -> None:
    """Connect to ``host:port`` and hang up.

    Raises
    ------
    OSError
        Nobody answers there.
    """
    host, _, port = address.rpartition(":")
    socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_S).close()


def _end(why: str) -> None:
    """Write past whatever stands in for the streams, such as a live table, which this process will not put away."""
    if sys.__stdout__ is not None and sys.__stdout__.isatty():
        print(_SHOW_CURSOR, file=sys.__stdout__, flush=True)
    print(f"error: the Ray cluster was lost: {why}", file=sys.__stderr__, flush=True)
    os._exit(2)
