"""Counts what a server serves on the path of its requests, where one more request costs about a microsecond."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence

from configs.values import Kind
from serving.snapshot import Snapshot


class Page:
    """How often a snapshot's forecasts of some kinds were served, between two times in seconds since 1970 (0: never).

    ``counts`` is by symbol, each of which was served or has been before.
    """

    __slots__ = ("counts", "first_s", "kinds", "last_s", "snapshot")

    def __init__(self, snapshot: Snapshot, kinds: tuple[Kind, ...], known: Iterable[str] = ()) -> None:
        self.snapshot, self.kinds, self.counts = snapshot, kinds, dict.fromkeys(known, 0)
        self.first_s = self.last_s = 0.0

    def times(self) -> Counter[tuple[Kind, str]]:
        """Return how often each prediction was served, without those that were not."""
        return Counter({(kind, symbol): n for kind in self.kinds for symbol, n in self.counts.items() if n})


class Tally:
    """Counts by snapshot, kinds and symbol. Calls must not overlap.

    A prediction that was counted stays with a count of zero after :meth:`take`, so ``has_new`` tells the first request
    for a prediction from one more.

    Parameters
    ----------
    limit
        Maximum number of predictions that are counted at a time.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pages: dict[tuple[int, tuple[Kind, ...]], Page] = {}
        self._size = 0  # predictions, those with a count of zero included
        self.served = 0  # since the last take
        self.has_new = False

    def add(self, snapshot: Snapshot, symbols: Sequence[str], kinds: tuple[Kind, ...]) -> bool:
        """Count these forecasts once more; beyond the limit count none and return False."""
        page = self._pages.get((id(snapshot), kinds))
        if page is None:
            page = self._pages[id(snapshot), kinds] = Page(snapshot, kinds)
        counts = page.counts
        for symbol in symbols:
            if symbol not in counts:
                if not self._learn(page, symbols):
                    return False
                break
        for symbol in symbols:
            counts[symbol] += 1
        self.served += len(symbols) * len(kinds)
        page.last_s = time.time()
        if not page.first_s:
            page.first_s = page.last_s
        return True

    def _learn(self, page: Page, symbols: Sequence[str]) -> bool:
        """Make a place for each symbol that has none, if the limit leaves all of them one."""
        new = dict.fromkeys(symbol for symbol in symbols if symbol not in page.counts)
        size = self._size + len(new) * len(page.kinds)
        if size > self._limit:
            return False
        page.counts.update(dict.fromkeys(new, 0))
        self._size, self.has_new = size, True
        return True

    def take(self) -> list[Page]:
        """Return the counts since the last call, and begin again from zero."""
        taken = {key: page for key, page in self._pages.items() if page.first_s}  # others are no longer served
        is_large = 2 * self._size > self._limit  # all are new again, so that they never fill it with zeros
        self._pages = {} if is_large else {k: Page(page.snapshot, page.kinds, page.counts) for k, page in taken.items()}
        self._size = sum(len(page.kinds) * len(page.counts) for page in self._pages.values())
        self.served, self.has_new = 0, False
        return list(taken.values())
