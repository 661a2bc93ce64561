"""The gate: batches what arrives while it works, fails nobody else, and stays bounded."""

import asyncio
import threading

import pytest

from serving.web.gate import Gate, OverloadedError


class Work:
    """Doubles numbers in batches, each of which waits to be let through."""

    def __init__(self):
        self.batches, self.permits = [], threading.Semaphore(0)

    def __call__(self, items):
        self.batches.append(list(items))
        assert self.permits.acquire(timeout=10)
        if 13 in items:
            raise RuntimeError("thirteen")
        return [2 * item for item in items]


def scenario(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 20))


async def started(count):
    """Let tasks run until they wait."""
    for _ in range(count):
        await asyncio.sleep(0)


def test_what_arrives_meanwhile_is_one_batch():
    async def run():
        work = Work()
        gate = Gate(work, largest=100, most=1000)
        first = asyncio.create_task(gate.submit(1))
        while not work.batches:
            await asyncio.sleep(0.001)
        others = [asyncio.create_task(gate.submit(i)) for i in range(2, 9)]
        await started(3)
        assert gate.waiting == 7
        work.permits.release(2)
        assert await first == 2 and await asyncio.gather(*others) == [2 * i for i in range(2, 9)]
        assert work.batches == [[1], list(range(2, 9))] and gate.waiting == 0

    scenario(run())


def test_a_batch_has_a_largest_weight():
    async def run():
        work = Work()
        work.permits.release(100)
        gate = Gate(work, largest=3, most=1000)
        assert await asyncio.gather(*(gate.submit(i, weight) for i, weight in enumerate([2, 2, 1, 5, 1]))) == [
            2 * i for i in range(5)
        ]
        assert work.batches == [[0], [1, 2], [3], [4]]

    scenario(run())


def test_a_failure_is_heard_by_its_batch_and_by_nobody_else():
    async def run():
        work = Work()
        work.permits.release(100)
        gate = Gate(work, largest=1, most=1000)
        found = await asyncio.gather(*(gate.submit(i) for i in (12, 13, 14)), return_exceptions=True)
        assert found[0] == 24 and found[2] == 28 and "thirteen" in str(found[1])

    scenario(run())


def test_who_went_away_is_not_worked_for():
    async def run():
        work = Work()
        gate = Gate(work, largest=100, most=1000)
        first, gone, last = (asyncio.create_task(gate.submit(i)) for i in (1, 2, 3))
        while not work.batches:
            await asyncio.sleep(0.001)
        late = asyncio.create_task(gate.submit(4))
        leaving = asyncio.create_task(gate.submit(5))
        await started(3)
        leaving.cancel()
        await started(3)
        work.permits.release(2)
        assert [await first, await gone, await last, await late] == [2, 4, 6, 8]
        assert work.batches == [[1, 2, 3], [4]] and gate.waiting == 0

    scenario(run())


def test_too_much_is_refused_and_what_waits_is_still_served():
    async def run():
        work = Work()
        gate = Gate(work, largest=1, most=2)
        tasks = [asyncio.create_task(gate.submit(0, 9))]  # alone, it may weigh more
        while not work.batches:
            await asyncio.sleep(0.001)
        tasks += [asyncio.create_task(gate.submit(i)) for i in (1, 2)]
        await started(3)
        with pytest.raises(OverloadedError, match="2 predictions are waiting; at most 2 may"):
            await gate.submit(3)
        work.permits.release(3)
        assert await asyncio.gather(*tasks) == [0, 2, 4]

    scenario(run())
