"""Concurrent calls to a store, whose latency would otherwise add up."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from features.store.store import Store

A = TypeVar("A")
B = TypeVar("B")

_LOCAL_THREADS, _REMOTE_THREADS = 4, 32


def in_order(store: Store, function: Callable[[A], B], items: Iterable[A]) -> Iterator[B]:
    """Yield ``function(item)`` for each item, in order; 4 calls run at a time on a disk, 32 on a bucket.

    An exception is raised in its item's turn. At most twice as many results as threads are in memory.
    """
    threads = _LOCAL_THREADS if store.is_local else _REMOTE_THREADS
    remaining = iter(items)
    with ThreadPoolExecutor(threads, thread_name_prefix="store") as pool:
        futures: deque[Future[B]] = deque(pool.submit(function, item) for item in islice(remaining, 2 * threads))
        try:
            while futures:
                result = futures.popleft().result()
                futures.extend(pool.submit(function, item) for item in islice(remaining, 1))
                yield result
        finally:
            for future in futures:
                future.cancel()
