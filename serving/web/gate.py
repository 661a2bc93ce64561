"""The gate: one batch at work, and whatever arrives meanwhile is the next one.

It waits for nobody: a request alone is served at once, and the busier the server, the larger its batches.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

A = TypeVar("A")
B = TypeVar("B")


class OverloadedError(Exception):
    """More is waiting than the gate holds."""


class Gate(Generic[A, B]):
    """Batches the calls of one event loop into calls of ``work`` in a thread of its own.

    Parameters
    ----------
    work
        Maps a list of items to the list of their results; an exception fails every item of its batch.
    largest
        Weight of one batch; a single item may weigh more.
    most
        Weight that may wait; a single item may weigh more where nothing waits.
    """

    def __init__(self, work: Callable[[Sequence[A]], Sequence[B]], largest: int, most: int) -> None:
        self.largest, self.most = largest, most
        self.waiting = 0
        self._work = work
        self._queue: deque[tuple[A, int, asyncio.Future[B]]] = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="gate")
        self._running: asyncio.Task[None] | None = None

    async def submit(self, item: A, weight: int = 1) -> B:
        """Return an item's result; who is cancelled while waiting is not worked for.

        Raises
        ------
        OverloadedError
            Too much is waiting already.
        """
        if self.waiting and self.waiting + weight > self.most:
            raise OverloadedError(f"{self.waiting} predictions are waiting; at most {self.most} may")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[B] = loop.create_future()
        self._queue.append((item, weight, future))
        self.waiting += weight
        if self._running is None or self._running.done():
            self._running = loop.create_task(self._drain(loop))
        return await future

    async def _drain(self, loop: asyncio.AbstractEventLoop) -> None:
        while batch := self._next():
            try:
                results = await loop.run_in_executor(self._thread, self._work, [item for item, _ in batch])
            except Exception as error:  # whoever waits must hear of it
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, future), result in zip(batch, results, strict=True):
                if not future.done():
                    future.set_result(result)

    def _next(self) -> list[tuple[A, asyncio.Future[B]]]:
        batch: list[tuple[A, asyncio.Future[B]]] = []
        heavy = 0
        while self._queue and (not batch or heavy + self._queue[0][1] <= self.largest):
            item, weight, future = self._queue.popleft()
            self.waiting -= weight
            if not future.done():
                batch.append((item, future))
                heavy += weight
        return batch
