"""Epoch callback: a function that every fit of a fleet calls after each epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Follow = Callable[[int, float], None]

_following: ContextVar[Follow | None] = ContextVar("following", default=None)


@contextmanager
def following(follow: Follow) -> Iterator[None]:
    """Call ``follow(epoch, loss)`` after each epoch of fits in this context; an exception of it ends the fit.

    ``loss`` is the mean over symbols of each one's best validation loss so far.
    """
    token = _following.set(follow)
    try:
        yield
    finally:
        _following.reset(token)


def report_epoch(epoch: int, loss: float) -> None:
    """Call the function that is set by :func:`following`, if any."""
    follow = _following.get()
    if follow is not None:
        follow(epoch, loss)
