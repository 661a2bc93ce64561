"""Counts what a server serves on the path of its requests, where one more request costs about a microsecond."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

from configs.values import Kind
from serving.snapshot import Snapshot


class Page:
    """How often forecasts of one snapshot were served, between two times in seconds since 1970 (0: never)."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.by_kinds: dict[tuple[Kind, ...], Counter[str]] = {}
        self.first_s = 0.0
        self.last_s = 0.0

    def times(self) -> Counter[tuple[Kind, str]]:
        """Return how often each prediction was served, without those that were not."""
        times = Counter[tuple[Kind, str]]()
        for kinds, counts in self.by_kinds.items():
            for kind in kinds:
                times.update({(kind, symbol): count for symbol, count in counts.items() if count})
        return times

    def restarted(self) -> Page:
        """Return a page that knows the same predictions, each with a count of zero."""
        page = Page(self.snapshot)
        page.by_kinds = {kinds: Counter(dict.fromkeys(counts, 0)) for kinds, counts in self.by_kinds.items()}
        return page


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
        self._pages: dict[int, Page] = {}
        self._size = 0  # predictions, those with a count of zero included
        self.served = 0  # since the last take
        self.has_new = False

    def add(self, snapshot: Snapshot, symbols: Sequence[str], kinds: tuple[Kind, ...]) -> bool:
        """Count these forecasts once more; beyond the limit count none and return False."""
        page = self._pages.get(id(snapshot))
        if page is None:
            page = self._pages[id(snapshot)] = Page(snapshot)
        counts = page.by_kinds.get(kinds)
        if counts is None:
            counts = page.by_kinds[kinds] = Counter()
        served, known = len(symbols) * len(kinds), len(counts)
        if self._size + served > self._limit:
            if self._size + len(kinds) * len(set(symbols) - counts.keys()) > self._limit:
                return False
        for symbol in symbols:
            counts[symbol] = counts.get(symbol, 0) + 1
        if len(counts) > known:
            self._size += (len(counts) - known) * len(kinds)
            self.has_new = True
        self.served += served
        page.last_s = time.time()
        page.first_s = page.first_s or page.last_s
        return True

    def take(self) -> list[Page]:
        """Return the counts since the last call, and begin again from zero."""
        taken = [page for page in self._pages.values() if page.first_s]  # others are no longer served
        is_large = 2 * self._size > self._limit  # all are new again, so that they never fill it with zeros
        self._pages = {} if is_large else {id(page.snapshot): page.restarted() for page in taken}
        pages = self._pages.values()
        self._size = sum(len(kinds) * len(counts) for page in pages for kinds, counts in page.by_kinds.items())
        self.served, self.has_new = 0, False
        return taken
