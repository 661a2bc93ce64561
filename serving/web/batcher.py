"""Dynamic batching without delay: one batch runs, and what arrives meanwhile is the next batch.

A single request is served immediately, and the busier the server, the larger its batches.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class OverloadedError(Exception):
    """The queue is full."""


class Batcher(Generic[Item, Result]):
    """Batches the calls of one event loop into calls of ``work`` in a separate thread.

    Parameters
    ----------
    work
        Maps a list of items to the list of their results; an exception fails every item of its batch.
    max_batch
        Maximum weight of one batch; a single item may exceed it.
    max_waiting
        Maximum weight of the queue; a single item may exceed it if the queue is empty.
    """

    def __init__(self, work: Callable[[Sequence[Item]], Sequence[Result]], max_batch: int, max_waiting: int) -> None:
        self.max_batch, self.max_waiting = max_batch, max_waiting
        self.waiting = 0
        self._work = work
        self._queue: deque[tuple[Item, int, asyncio.Future[Result]]] = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="batcher")
        self._running: asyncio.Task[None] | None = None

    async def submit(self, item: Item, weight: int = 1) -> Result:
        """Return an item's result; an item that is cancelled while it waits is dropped.

        Raises
        ------
        OverloadedError
            The queue is full.
        """
        if self.waiting and self.waiting + weight > self.max_waiting:
            raise OverloadedError(f"{self.waiting} predictions are waiting; at most {self.max_waiting} may")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self._queue.append((item, weight, future))
        self.waiting += weight
        if self._running is None or self._running.done():
            self._running = loop.create_task(self._drain(loop))
        return await future

    async def _drain(self, loop: asyncio.AbstractEventLoop) -> None:
        while batch := self._next_batch():
            try:
                results = await loop.run_in_executor(self._thread, self._work, [item for item, _ in batch])
            except Exception as error:  # passed on to each caller of the batch
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, future), result in zip(batch, results, strict=True):
                if not future.done():
                    future.set_result(result)

    def _next_batch(self) -> list[tuple[Item, asyncio.Future[Result]]]:
        batch: list[tuple[Item, asyncio.Future[Result]]] = []
        total = 0
        while self._queue and (not batch or total + self._queue[0][1] <= self.max_batch):
            item, weight, future = self._queue.popleft()
            self.waiting -= weight
            if not future.done():
                batch.append((item, future))
                total += weight
        return batch
