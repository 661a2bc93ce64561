"""Waits for a state that another thread or process reaches."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
BOUND_S = 900.0  # of a wait for what must come: other processes may use all processors
NEVER_S = 4 * BOUND_S  # a time limit of the product that a test does not reach


def _no_reason() -> str:
    return "the condition is still false"


def wait_until(condition: Callable[[], T], seconds: float = BOUND_S, reason: Callable[[], str] = _no_reason) -> T:
    """Return what a condition returns once it is true; after ``seconds`` the test fails for a ``reason``."""
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not (found := condition()):
        assert time.monotonic() < deadline, reason()
        pause.wait(0.02)
    return found
