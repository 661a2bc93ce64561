"""Slow, unfinished and too many requests: their client is refused, and the others are answered."""

import asyncio
import json
import threading
from contextlib import suppress

import pytest
from raw_http import answer, ask, stalled
from waiting import NEVER_S, wait_until

from configs.operation import ServeConfig
from serving.web.admission import BodyReader, BusyError, SlowBodyError
from serving.web.api import build_api
from serving.web.keys import Keys, add_key
from serving.web.prediction_service import EngineService

URL = "/v1/predictions"
BODY = json.dumps({"symbols": ["AAA"]}).encode()


def unfinished(*headers, length=100):
    lines = [f"POST {URL} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {length}", *headers]
    return "\r\n".join([*lines, "", "{"]).encode()


def bearer(key):
    return f"Authorization: Bearer {key}"


@pytest.fixture
def start(engine, start_server, tmp_path):
    """Start a server with limits; return its URL and the headers of two keys."""

    def start(with_keys=True, **limits):
        keys = [add_key(tmp_path / "keys", name) for name in ("one", "two")] if with_keys else []
        api = build_api(
            EngineService(engine, 512), ServeConfig(**limits), keys=Keys(tmp_path / "keys") if with_keys else None
        )
        return start_server(api), *map(bearer, keys)

    return start


def until_answered(status, url, key):
    """Ask until the answer has this status; requests that arrive are counted a moment later."""
    wait_until(lambda: ask(url, URL, key, method="POST", body=BODY)[0] == status)


@pytest.mark.slow
def test_bodies_that_never_arrive_take_no_slot(start):
    url, one, two = start(max_ongoing=4, max_ongoing_per_key=40, body_timeout_s=NEVER_S)
    with stalled(url, 40, unfinished(one)):
        until_answered(429, url, one)
        assert ask(url, URL, two, method="POST", body=BODY)[0] == 200
        assert ask(url)[0] == 200 and ask(url, "/v1/health/ready")[0] == 200


@pytest.mark.slow
def test_bodies_that_never_arrive_get_408(start):
    url, one, _ = start(max_ongoing_per_key=4, body_timeout_s=0.5)
    with stalled(url, 4, unfinished(one)) as sockets:
        statuses = [answer(one) for one in sockets]
    assert {status for status, _ in statuses} == {408}
    assert statuses[0][1]["error"]["code"] == "slow_body"
    assert ask(url, URL, one, method="POST", body=BODY)[0] == 200, "the key's requests are counted no more"


@pytest.mark.slow
def test_a_body_that_trickles_has_the_same_time(start):
    url, one, _ = start(body_timeout_s=0.6)
    with stalled(url, 1, unfinished(one)) as (slow,):  # the 99 other bytes take 10 s and are then refused with 400
        stop = threading.Event()

        def trickle():
            with suppress(ConnectionError):
                while not stop.wait(0.1):
                    slow.sendall(b" ")

        thread = threading.Thread(target=trickle)
        thread.start()
        status, _ = answer(slow)
        stop.set()
        thread.join()
        assert status == 408


def test_one_key_may_not_take_all_slots(start):
    url, one, two = start(max_ongoing_per_key=2, body_timeout_s=NEVER_S)
    with stalled(url, 2, unfinished(one)) as sockets:
        until_answered(429, url, one)
        with stalled(url, 1, unfinished(one)) as (third,):
            status, body = answer(third)
        assert status == 429 and body["error"]["code"] == "busy"
        assert ask(url, URL, two, method="POST", body=BODY)[0] == 200
        sockets[0].close()
        until_answered(200, url, one)  # a client that leaves is counted no more


def test_large_unfinished_bodies_are_given_up_for_new_ones(start):
    (url,) = start(with_keys=False, max_body_mib=0.125, body_timeout_s=NEVER_S)
    text = unfinished(length=131_000) + b" " * 130_000  # 16 fit in memory
    with stalled(url, 40, text) as sockets:
        assert [ask(url, URL, method="POST", body=BODY)[0] for _ in range(10)] == [200] * 10
        assert answer(sockets[0])[0] == 408, "the oldest"


def test_bodies_given_up_at_once_leave_room_at_once():
    async def main():
        reader, blocked = BodyReader(1_000, 10.0), asyncio.Event()

        def receives(size, stops):
            left = 10

            async def receive():
                nonlocal left
                if not left:
                    await blocked.wait()
                left -= 1
                return {"type": "http.request", "body": b" " * (size // 10), "more_body": stops or left > 0}

            return receive

        stopped = [asyncio.ensure_future(reader.read(receives(1_000, True))) for _ in range(16)]
        await asyncio.sleep(0)
        # All arrive before a body that is given up notices: the first takes the room of the oldest.
        new = [asyncio.ensure_future(reader.read(receives(1_000, False))) for _ in range(16)]
        found = await asyncio.gather(*new, return_exceptions=True)
        assert [len(body) for body in found] == [1_000] * 16
        with pytest.raises(BusyError):
            await reader.read(receives(10, False))
        assert all(isinstance(one, SlowBodyError) for one in await asyncio.gather(*stopped, return_exceptions=True))
        for body in found:
            reader.release(body)
        assert len(await reader.read(receives(1_000, False))) == 1_000

    asyncio.run(main())


def test_a_server_without_keys_stays_available_however_many_bodies_are_unfinished(start):
    (url,) = start(with_keys=False, body_timeout_s=NEVER_S)
    with stalled(url, 600, unfinished()) as sockets:
        assert ask(url, URL, method="POST", body=BODY)[0] == 200 and ask(url)[0] == 200
        assert answer(sockets[0])[0] == 408 and sockets[599].fileno() > 0


def test_unauthorised_requests_are_refused_before_their_body(start):
    url, *_ = start(body_timeout_s=NEVER_S)
    with stalled(url, 1, unfinished(bearer("nonsense"))) as (slow,):
        assert answer(slow)[0] == 401
