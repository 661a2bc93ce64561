"""Clients that send as fast as they can, and more than they may."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from hostile.attack import Attack, Context
from hostile.others import PREDICT, key_header, others
from raw_http import address_of

_CLOSED_S = 3.0
_MOST_MIB = 64  # 8 that a body may have, and what is in the buffers of sockets and of HAProxy
_BODIES = 50
_CHUNK = b"100000\r\n" + b" " * 0x100000 + b"\r\n"


def _head(context: Context, line: str, *headers: str) -> bytes:
    return "\r\n".join([line, "Host: 127.0.0.1", *headers, *key_header(context.key), "", ""]).encode()


def _send_until_closed(context: Context, head: bytes, part: bytes, seconds: float) -> tuple[int, float]:
    """Return the bytes that were sent after the head, and the seconds until the connection was closed."""
    sent, begin = 0, time.perf_counter()
    with socket.create_connection(address_of(context.server), seconds) as one, suppress(OSError):
        one.sendall(head)
        while time.perf_counter() - begin < seconds:
            sent += one.send(part)
    return sent, time.perf_counter() - begin


def _at_the_same_time(context: Context, send: Callable[[], None], count: int) -> None:
    threads = [threading.Thread(target=send) for _ in range(count)]
    with others(context):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def body_without_end(context: Context) -> None:
    """Send a body in chunks that never ends."""
    head = _head(context, f"POST {PREDICT} HTTP/1.1", "Transfer-Encoding: chunked")
    with others(context):
        sent, seconds = _send_until_closed(context, head, _CHUNK, _CLOSED_S)
    assert seconds < _CLOSED_S, f"the connection was open after {seconds:.1f} s"
    assert sent < _MOST_MIB * 2**20, f"{sent >> 20} MiB were accepted of a body that may have 8"


def bodies_without_end(context: Context) -> None:
    """Send many such bodies at the same time."""
    head = _head(context, f"POST {PREDICT} HTTP/1.1", "Transfer-Encoding: chunked")
    sent: list[int] = []

    def send() -> None:
        sent.append(_send_until_closed(context, head, _CHUNK, 15.0)[0])

    _at_the_same_time(context, send, _BODIES)
    assert len(sent) == _BODIES and max(sent) < _MOST_MIB * 2**20, f"{max(sent) >> 20} MiB were accepted of one body"


def requests_without_waiting(context: Context) -> None:
    """Send requests on a few connections without reading an answer."""
    request = _head(context, "GET /v1/health/live HTTP/1.1")

    def send() -> None:
        _send_until_closed(context, request, request * 1_000, 10.0)

    _at_the_same_time(context, send, 4)


ATTACKS = [
    Attack("a body without end: closed in 3 s, of which at most 64 MiB are received", body_without_end, True),
    Attack("50 bodies without end: others are answered", bodies_without_end, True),
    Attack("requests that wait for no answer: others are answered", requests_without_waiting, True),
]
