"""Results by the content of an array, because the symbols of a universe mostly have the same dates."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Generic, TypeVar

import numpy as np

from features.bars.arrays import Dates

T = TypeVar("T")


class ByContent(Generic[T]):
    """Calls a function of dates once for equal dates.

    Digests are kept, not dates: a bot sees new dates with every bar, and must not grow by all of them.

    Parameters
    ----------
    compute
        The function of dates ``datetime64[ns]`` (N,).
    most
        Results that are kept; one more, and all are computed again.
    """

    def __init__(self, compute: Callable[[Dates], T], most: int) -> None:
        self._compute, self._most = compute, most
        self._known: dict[bytes, T] = {}

    def __call__(self, dates: Dates) -> T:
        """Return the result for these dates."""
        dates = np.ascontiguousarray(dates.astype("datetime64[ns]", copy=False))
        key = blake2b(dates.tobytes(), digest_size=16).digest()
        if key in (known := self._known):
            return known[key]
        found = self._compute(dates)
        if len(known) >= self._most:
            self._known = known = {}
        known[key] = found
        return found
