"""Who follows fits: a function that every fit of a fleet calls after each epoch, wherever the fit is called from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Follow = Callable[[int, float], None]

_following: ContextVar[Follow | None] = ContextVar("following", default=None)


@contextmanager
def following(follow: Follow) -> Iterator[None]:
    """Call ``follow(epoch, loss)`` after each epoch of fits in this context; what it raises ends the fit.

    ``loss`` is the mean over symbols of each one's best validation loss so far.
    """
    token = _following.set(follow)
    try:
        yield
    finally:
        _following.reset(token)


def tell(epoch: int, loss: float) -> None:
    """Tell who follows, if somebody does."""
    follow = _following.get()
    if follow is not None:
        follow(epoch, loss)
