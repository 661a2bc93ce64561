"""An answer for many clients: one computation, although clients leave; errors that are no database's are not kept."""

import asyncio
import contextlib
import threading

import pytest
from waiting import BOUND_S

from serving.web.shared_answer import SharedAnswer


def test_a_client_that_leaves_starts_no_second_computation():
    calls, started, released = [], threading.Event(), threading.Event()

    def compute():
        calls.append(1)
        started.set()
        assert released.wait(BOUND_S)
        return b"answer"

    async def clients():
        shared = SharedAnswer(compute, 60.0)
        first = asyncio.create_task(shared.answer())
        await asyncio.to_thread(started.wait, 20)
        first.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await first
        others = [asyncio.create_task(shared.answer()) for _ in range(3)]
        await asyncio.sleep(0)
        released.set()
        return await asyncio.gather(*others)

    assert asyncio.run(clients()) == [b"answer"] * 3 and len(calls) == 1


def test_an_unexpected_error_is_raised_and_the_next_client_tries_again():
    calls = []

    def compute():
        calls.append(1)
        if len(calls) == 1:
            raise ValueError("a bug")
        return b"answer"

    async def clients():
        shared = SharedAnswer(compute, 60.0)
        with pytest.raises(ValueError, match="a bug"):
            await shared.answer()
        return await shared.answer()

    assert asyncio.run(clients()) == b"answer"
