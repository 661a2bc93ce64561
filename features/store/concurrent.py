"""Many requests to a store at once: what takes a moment each need not be waited for in turn."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from features.store.store import Store

A = TypeVar("A")
B = TypeVar("B")

_LOCAL, _REMOTE = 4, 32


def in_order(store: Store, function: Callable[[A], B], items: Iterable[A]) -> Iterator[B]:
    """Yield ``function`` of each item, in order, with a few of a disk's or many of a bucket's calls under way.

    The first exception is raised where its item would have been. Results wait for whoever takes them, so no more than
    twice that many are held.
    """
    threads = _LOCAL if store.is_local else _REMOTE
    left = iter(items)
    with ThreadPoolExecutor(threads, thread_name_prefix="store") as pool:
        waiting: deque[Future[B]] = deque(pool.submit(function, item) for item in islice(left, 2 * threads))
        try:
            while waiting:
                result = waiting.popleft().result()
                waiting.extend(pool.submit(function, item) for item in islice(left, 1))
                yield result
        finally:
            for one in waiting:
                one.cancel()
