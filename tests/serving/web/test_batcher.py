"""The batcher: what arrives while a batch runs is the next batch, failures stay in a batch, the queue is bounded."""

import asyncio
import threading

import pytest
from waiting import BOUND_S

from serving.web.batcher import Batcher, OverloadedError


class Work:
    """Doubles numbers in batches, each of which waits for a permit."""

    def __init__(self):
        self.batches, self.begun, self.permits = [], threading.Event(), threading.Semaphore(0)

    def __call__(self, items):
        self.batches.append(list(items))
        self.begun.set()
        assert self.permits.acquire(timeout=BOUND_S)
        if 13 in items:
            raise RuntimeError("thirteen")
        return [2 * item for item in items]

    async def has_begun(self):
        """Wait until the first batch runs."""
        assert await asyncio.to_thread(self.begun.wait, BOUND_S)


def scenario(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, BOUND_S))


async def started(count):
    """Run the tasks until they wait."""
    for _ in range(count):
        await asyncio.sleep(0)


def test_what_arrives_while_a_batch_runs_is_the_next_batch():
    async def run():
        work = Work()
        batcher = Batcher(work, max_batch=100, max_waiting=1000)
        first = asyncio.create_task(batcher.submit(1))
        await work.has_begun()
        others = [asyncio.create_task(batcher.submit(i)) for i in range(2, 9)]
        await started(3)
        assert batcher.waiting == 7
        work.permits.release(2)
        assert await first == 2 and await asyncio.gather(*others) == [2 * i for i in range(2, 9)]
        assert work.batches == [[1], list(range(2, 9))] and batcher.waiting == 0

    scenario(run())


def test_a_batch_has_a_maximum_weight():
    async def run():
        work = Work()
        work.permits.release(100)
        batcher = Batcher(work, max_batch=3, max_waiting=1000)
        assert await asyncio.gather(*(batcher.submit(i, weight) for i, weight in enumerate([2, 2, 1, 5, 1]))) == [
            2 * i for i in range(5)
        ]
        assert work.batches == [[0], [1, 2], [3], [4]]

    scenario(run())


def test_a_failure_reaches_its_own_batch_only():
    async def run():
        work = Work()
        work.permits.release(100)
        batcher = Batcher(work, max_batch=1, max_waiting=1000)
        found = await asyncio.gather(*(batcher.submit(i) for i in (12, 13, 14)), return_exceptions=True)
        assert found[0] == 24 and found[2] == 28 and "thirteen" in str(found[1])

    scenario(run())


def test_a_cancelled_item_is_not_processed():
    async def run():
        work = Work()
        batcher = Batcher(work, max_batch=100, max_waiting=1000)
        first, gone, last = (asyncio.create_task(batcher.submit(i)) for i in (1, 2, 3))
        await work.has_begun()
        late = asyncio.create_task(batcher.submit(4))
        leaving = asyncio.create_task(batcher.submit(5))
        await started(3)
        leaving.cancel()
        await started(3)
        work.permits.release(2)
        assert [await first, await gone, await last, await late] == [2, 4, 6, 8]
        assert work.batches == [[1, 2, 3], [4]] and batcher.waiting == 0

    scenario(run())


def test_a_full_queue_refuses_new_items_and_serves_the_waiting_ones():
    async def run():
        work = Work()
        batcher = Batcher(work, max_batch=1, max_waiting=2)
        tasks = [asyncio.create_task(batcher.submit(0, 9))]  # heavier than max_waiting, which an empty queue accepts
        await work.has_begun()
        tasks += [asyncio.create_task(batcher.submit(i)) for i in (1, 2)]
        await started(3)
        with pytest.raises(OverloadedError, match="2 predictions are waiting; at most 2 may"):
            await batcher.submit(3)
        work.permits.release(3)
        assert await asyncio.gather(*tasks) == [0, 2, 4]

    scenario(run())
