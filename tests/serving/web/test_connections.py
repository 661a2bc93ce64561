"""Connections that stall: they are closed in time, and never keep others out."""

import asyncio
import math
import socket
import threading
import time
from contextlib import contextmanager, suppress
from functools import partial

import pytest
import uvicorn
from raw_http import address_of, answer, ask, stalled
from waiting import BOUND_S, NEVER_S, wait_until

from serving.web.connections import Connections, LimitedProtocol, limit_connections
from serving.web.limits import HOOK, Limits

pytestmark = pytest.mark.slow

HEADERS = b"GET /slow HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A"


async def application(scope, receive, send, enough=math.inf):
    if scope["path"] == "/eager":
        return await eager(receive, send, enough)
    body = b"x" * 50_000_000 if scope["path"] == "/large" else b"{}"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    for i in range(0, len(body), 1_000_000):
        await send({"type": "http.response.body", "body": body[i : i + 1_000_000], "more_body": i + 1e6 < len(body)})


async def eager(receive, send, enough):
    """Receive as Serve's proxy does, without waiting for the replica.

    The replica answers at the end of the body, or 0.3 s after ``enough`` bytes.
    """
    size, more = 0, True
    with suppress(TimeoutError):
        async with asyncio.timeout(None) as limit:
            while more:
                message = await receive()
                size, more = size + len(message.get("body", b"")), message.get("more_body", False)
                if size >= enough:
                    limit.reschedule(asyncio.get_running_loop().time() + 0.3)
    received.append(size)
    status = 200 if not more else 413
    headers = [(b"content-length", b"0"), *([(b"connection", b"close")] if status == 413 else [])]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body"})


received: list[int] = []


@contextmanager
def served(limits, files=10_000, enough=math.inf):
    protocol = type("Protocol", (LimitedProtocol,), {"_open": Connections(limits, files)})
    config = uvicorn.Config(
        partial(application, enough=enough),
        interface="asgi3",
        port=0,
        http=protocol,
        lifespan="off",
        log_level="critical",
        timeout_keep_alive=int(NEVER_S),
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", protocol._open
    finally:
        server.should_exit = True
        server.force_exit = True
        thread.join(BOUND_S)


def test_headers_must_arrive_in_time():
    with served(Limits(header_s=0.5, body_s=NEVER_S)) as (url, _):
        begin = time.perf_counter()
        with stalled(url, 20, HEADERS) as slow, stalled(url, 5, b"") as silent:
            assert ask(url)[0] == 200
            assert {answer(one)[0] for one in (*slow, *silent)} == {408}
        assert time.perf_counter() - begin > 0.4


def test_bodies_must_arrive_in_time():
    with served(Limits(header_s=NEVER_S, body_s=0.2)) as (url, _):
        unread = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{"
        with stalled(url, 1, unread) as (one,):
            assert answer(one)[0] == 200
            assert answer(one)[0] == 0, "closed, although the request was answered"


def test_headers_that_trickle_have_the_same_time():
    with served(Limits(header_s=0.6)) as (url, _), stalled(url, 1, b"GET / HTTP/1.1\r\n") as (one,):
        with pytest.raises(ConnectionError):
            for _ in range(1_000):  # a minute
                one.sendall(b"X-A: b\r\n")
                time.sleep(0.06)


def test_the_second_request_of_a_connection_must_arrive_in_time_too():
    with served(Limits(header_s=1.0)) as (url, _), socket.create_connection(address_of(url)) as one:
        for _ in range(3):
            one.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert answer(one)[0] == 200
        time.sleep(1.2)  # the time is what is tested: longer than header_s
        one.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HT")
        assert answer(one)[0] == 200, "between requests there is more time"
        assert answer(one)[0] == 408


def test_too_many_connections_close_those_that_wait_not_the_new_one():
    with served(Limits(connections=20, header_s=NEVER_S)) as (url, connections), stalled(url, 60, HEADERS) as slow:
        assert [ask(url)[0] for _ in range(20)] == [200] * 20
        assert ask(url, source="127.0.0.2")[0] == 200
        with stalled(url, 30, HEADERS, "127.0.0.3"):
            assert ask(url, source="127.0.0.2")[0] == 200
            assert connections._count <= 20
        assert answer(slow[0])[0] == 0


def test_the_limit_of_open_files_is_respected():
    with served(Limits(connections=1000), files=520) as (url, connections), stalled(url, 30, HEADERS):
        assert ask(url)[0] == 200 and connections._count <= 8


def test_a_response_that_is_not_read_ends(monkeypatch):
    monkeypatch.setattr("serving.web.connections._WRITE_TIMEOUT_S", 0.3)
    with served(Limits()) as (url, connections), stalled(url, 1, b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n"):
        wait_until(lambda: not connections._count)


def test_endless_headers_are_431_and_values_that_are_not_ascii_are_dropped():
    with served(Limits()) as (url, _):
        with stalled(url, 1, b"GET / HTTP/1.1\r\nX-A: " + b"a" * 65_600) as (one,):
            assert answer(one)[0] == 431
        assert ask(url, "/", "x-request-id: \xff", "serve_multiplexed_model_id: \xfe")[0] == 200


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_websocket_is_not_opened(method):
    upgrade = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: YQ==")
    with served(Limits(header_s=0.5)) as (url, connections):
        assert ask(url, "/", *upgrade, method=method)[0] == 200
        wait_until(lambda: not connections._count)


def test_the_body_of_an_upgrade_is_no_request():
    inner = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    head = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: %d\r\n\r\n"
    with served(Limits()) as (url, _), stalled(url, 1, head % len(inner)) as (one,):
        with suppress(ConnectionError):
            one.sendall(inner)
        assert answer(one)[0] == 200 and answer(one)[0] == 0, "closed after one answer"


CHUNKED = b"POST /eager HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
LONG = b"POST /eager HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"


@pytest.mark.parametrize("head", [CHUNKED, LONG % 2**30])
def test_no_more_of_a_body_is_received_than_it_may_have(head):
    received.clear()
    with served(Limits(max_body=1_000_000), enough=1_000_000) as (url, connections), stalled(url, 1, head) as (one,):
        one.settimeout(5)
        with suppress(OSError):  # the server stops reading, and then closes
            for _ in range(100):
                one.sendall(b"100000\r\n" + b" " * 0x100000 + b"\r\n")
        assert answer(one)[0] == 413
        wait_until(lambda: not connections._count)
        assert connections.bodies.bytes == 0
    assert received == [1_000_001]


def test_a_truncated_body_is_never_complete():
    received.clear()
    text = LONG % 500_000 + b" " * 500_000
    with served(Limits(max_body=1_000), enough=1_001) as (url, _), stalled(url, 1, text) as (one,):
        assert answer(one)[0] == 413 and answer(one)[0] == 0
    assert received == [1_001]


def test_bodies_have_room_together_and_the_oldest_is_given_up():
    with served(Limits(max_body=1_000, body_s=NEVER_S)) as (url, connections):
        with stalled(url, 40, LONG % 1_000 + b" " * 900) as unfinished:
            assert [answer(one)[0] for one in unfinished[:5]] == [408] * 5
            assert connections.bodies.bytes <= 32_000
        assert ask(url, "/eager", method="POST", body=b" " * 1_000)[0] == 200
        wait_until(lambda: not connections._count)
        assert connections.bodies.bytes == 0 and not connections.bodies.arriving


def test_a_connection_has_few_requests_that_wait():
    with served(Limits()) as (url, _), stalled(url, 1, b"GET /eager HTTP/1.1\r\nHost: a\r\n\r\n" * 15) as (one,):
        data = b""
        while data.count(b"200 OK") < 15:
            data += one.recv(65536)
        with suppress(OSError):
            one.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 5_000)
        assert b"400 Bad Request" in _all(one)


def _all(one):
    data = b""
    with suppress(OSError):
        while part := one.recv(65536):
            data += part
    return data


def test_serve_finds_the_hook():
    module, _, name = HOOK["RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH"].rpartition(".")
    assert (module, name) == (limit_connections.__module__, limit_connections.__name__)
    assert (
        Limits(5, 1.0, 2.0) == Limits(5, 1.0, 2.0) and "connections" in Limits().environment()["FLEETCAST_CONNECTIONS"]
    )
