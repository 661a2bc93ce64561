"""Clients that stop in the middle: of headers, of bodies, of reading."""

from __future__ import annotations

import time

from hostile.attack import Attack, Context
from hostile.others import BODY, PREDICT, key_header, others
from raw_http import answer, ask, stalled

_HEADER_S = _BODY_S = 10.0  # the defaults of serve.header_timeout_s and serve.body_timeout_s
_LATE_S = 5.0
_HEADERS = b"POST /v1/predictions HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: "


def unfinished_headers(context: Context) -> None:
    """Open connections that begin the headers and stop."""
    with others(context, "p99_ms"):
        begin = time.perf_counter()
        with stalled(context.server, context.sockets, _HEADERS) as slow:
            found = [answer(one, 60)[0] for one in slow]
            taken = time.perf_counter() - begin
    assert set(found) <= {0, 408}, set(found)
    assert taken < 2 * _HEADER_S + _LATE_S, f"connections stayed open for {taken:.0f} s"


def silent_connections(context: Context) -> None:
    """Open connections that send nothing."""
    with others(context, "p99_ms"), stalled(context.server, context.sockets // 4, b"") as slow:
        begin = time.perf_counter()
        assert {answer(one, 60)[0] for one in slow} <= {0, 408}
        assert time.perf_counter() - begin < _HEADER_S + _LATE_S


def trickling_headers(context: Context) -> None:
    """Send one header a second."""
    with others(context), stalled(context.server, 100, _HEADERS + b"\r\n") as slow:
        until = time.perf_counter() + _HEADER_S + _LATE_S
        alive = list(slow)
        while alive and time.perf_counter() < until:
            for one in list(alive):
                try:
                    one.sendall(b"X-A: b\r\n")
                except OSError:
                    alive.remove(one)
            time.sleep(1.0)
        assert not alive, f"{len(alive)} connections are open after {_HEADER_S + _LATE_S:g} s"


def _unfinished_bodies(context: Context, count: int, length: int, sent: int) -> None:
    lines = ["POST /v1/predictions HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {length}"]
    text = "\r\n".join([*lines, *key_header(context.key), "", ""]).encode() + b" " * sent
    with others(context, "p99_ms"):
        begin = time.perf_counter()
        with stalled(context.server, count, text) as slow:
            found = [answer(one, 60)[0] for one in slow]
        taken = time.perf_counter() - begin
        assert set(found) <= {0, 408, 429}, set(found)
        assert taken < _BODY_S + 2 * _LATE_S, f"the last was answered after {taken:.0f} s"
    status, _ = ask(context.server, PREDICT, *key_header(context.key), method="POST", body=BODY)
    assert status == 200, f"{status} for the client itself, after its requests have ended"


def unfinished_bodies(context: Context) -> None:
    """Send one byte of bodies of a hundred."""
    _unfinished_bodies(context, 270, 100, 1)


def unfinished_large_bodies(context: Context) -> None:
    """Send most of many bodies of almost the largest size."""
    _unfinished_bodies(context, 100, 8_000_000, 4_000_000)


def unread_answers(context: Context) -> None:
    """Ask for large answers and read none."""
    text = "\r\n".join(["GET /static/plotly.min.js HTTP/1.1", "Host: 127.0.0.1", "", ""]).encode()
    with others(context), stalled(context.server, 300, text):
        time.sleep(_LATE_S)


ATTACKS = [
    Attack("headers that stop: 408 in 10 s, others are answered", unfinished_headers, True),
    Attack("connections that send nothing: closed in 10 s, others are answered", silent_connections, True),
    Attack("headers that trickle: closed in 10 s", trickling_headers, True),
    Attack("bodies that stop: 408 or 429, others are answered", unfinished_bodies, True),
    Attack("large bodies that stop: 408 or 429, others are answered", unfinished_large_bodies, True),
    Attack("answers that are not read: others are answered", unread_answers, True),
]
