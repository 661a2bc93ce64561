"""Work on many items in several processes of this machine, in order and with few results in memory."""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice
from types import TracebackType
from typing import Self, TypeVar

A = TypeVar("A")
B = TypeVar("B")

_LEAST = 1_000  # items, with which starting processes takes less time than they save
_CHUNK = 32


def usable_processors() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Processes:
    """Processes that start when there is enough for them to do, and end with the context.

    Parameters
    ----------
    count
        Number of processes; 1 works in this one.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._pool: ProcessPoolExecutor | None = None

    def map(self, function: Callable[[A], B], items: Sequence[A]) -> Iterator[B]:
        """Yield ``function(item)`` for each item, in order; both must be picklable."""
        if self._count < 2 or (self._pool is None and len(items) < _LEAST):
            yield from map(function, items)
            return
        if self._pool is None:
            # A fork would copy the locks of Arrow's threads in any state.
            self._pool = ProcessPoolExecutor(self._count, mp_context=multiprocessing.get_context("spawn"))
        chunks = (items[start : start + _CHUNK] for start in range(0, len(items), _CHUNK))
        futures: deque[Future[list[B]]] = deque()
        futures.extend(self._submit(self._pool, function, islice(chunks, 2 * self._count)))
        while futures:
            found = futures.popleft().result()
            futures.extend(self._submit(self._pool, function, islice(chunks, 1)))
            yield from found

    @staticmethod
    def _submit(
        pool: ProcessPoolExecutor, function: Callable[[A], B], chunks: Iterable[Sequence[A]]
    ) -> Iterator[Future[list[B]]]:
        for chunk in chunks:
            yield pool.submit(_map, function, chunk)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End the processes after what they are doing."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None


def _map(function: Callable[[A], B], items: Sequence[A]) -> list[B]:
    return [function(item) for item in items]
