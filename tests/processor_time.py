"""Processor time at the speed of one machine, so that a bound on it holds on slow ones too."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_ADDITIONS = 1_000_000
_REFERENCE_S = 0.072  # what they take on the machine for which tests state their bounds


def _additions_s() -> float:
    start, total = time.thread_time(), 0
    for i in range(_ADDITIONS):
        total += i
    return time.thread_time() - start


@contextmanager
def processor_time(took: list[float], clock: Callable[[], float] = time.thread_time) -> Iterator[None]:
    """Append to ``took`` the seconds of a block, times the speed of this machine relative to the reference.

    The speed is that of a loop, right before the block and right after it. ``clock`` is that of this thread, because
    other threads may compute; ``time.process_time`` counts all of them.
    """
    before = _additions_s()
    start = clock()
    yield
    spent = clock() - start
    took.append(spent * 2 * _REFERENCE_S / (before + _additions_s()))
