"""Ends a command with one line when its cluster's head is lost: Ray would wait a minute and end the process itself."""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_CONNECT_S = 3.0
_INTERVAL_S = 3.0
_RAY_MARGIN_S = 15.0
_SHOW_CURSOR = "\x1b[?25h"

logger = logging.getLogger(__name__)


@contextmanager
def ended_without_head(
    address: str, hint: str, timeout_s: float | None = None, interval_s: float = _INTERVAL_S
) -> Iterator[None]:
    """End this process with exit code 2 and one line, which ends in ``hint``, if the head does not answer.

    Nothing is cleaned up, because calls that wait inside of Ray cannot be interrupted.

    Parameters
    ----------
    address
        ``host:port`` of the head.
    hint
        How to go on.
    timeout_s
        Time without an answer after which the head is lost. By default a little less than Ray's own
        (``RAY_gcs_rpc_server_reconnect_timeout_s``, 60 s), after which Ray would end the process.
    interval_s
        Time between two attempts to connect.
    """
    ray_s = float(os.environ.get("RAY_gcs_rpc_server_reconnect_timeout_s", "60"))
    timeout_s = max(ray_s - _RAY_MARGIN_S, _INTERVAL_S) if timeout_s is None else timeout_s
    over = threading.Event()

    def watch() -> None:
        answered = time.monotonic()
        while not over.wait(interval_s):
            try:
                reach(address)
            except OSError as error:
                silent_s = time.monotonic() - answered
                logger.info("the head at %s has not answered for %.0f s (limit %.0f s)", address, silent_s, timeout_s)
                if silent_s > timeout_s and not over.is_set():
                    _end(f"its head at {address} has not answered for {timeout_s:.0f} s ({error}){hint}")
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
    """Connect to ``host:port`` and close the connection; ``OSError`` if nothing answers there."""
    host, _, port = address.rpartition(":")
    socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_S).close()


def _end(why: str) -> None:
    """Print to the original streams, since a live table that replaced them is not closed, and end this process."""
    if sys.__stdout__ is not None and sys.__stdout__.isatty():
        print(_SHOW_CURSOR, file=sys.__stdout__, flush=True)
    print(f"error: the Ray cluster was lost: {why}", file=sys.__stderr__, flush=True)
    os._exit(2)
