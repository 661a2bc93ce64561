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

    A prediction that was counted stays with a count of zero after :meth:`take`, while its snapshot is served, so the
    first request for a prediction differs from one more. ``served`` are the predictions served since the last take.
    ``is_due`` is whether the next take should be soon: one of them is new, or they fill half of the limit.

    Parameters
    ----------
    limit
        Maximum number of predictions that are counted between two takes.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pages: dict[tuple[int, tuple[Kind, ...]], Page] = {}
        self._size = 0  # predictions whose count is not zero
        self.served, self.is_due = 0, False

    def add(self, snapshot: Snapshot, symbols: Sequence[str], kinds: tuple[Kind, ...]) -> bool:
        """Count these forecasts once more; beyond the limit count none and return False."""
        page = self._pages.get((id(snapshot), kinds))
        if page is None:
            page = self._pages[id(snapshot), kinds] = Page(snapshot, kinds)
        counts = page.counts
        for symbol in symbols:
            if not counts.get(symbol):
                if not self._make_room(page, symbols):
                    return False
                break
        for symbol in symbols:
            counts[symbol] += 1
        self.served += len(symbols) * len(kinds)
        page.last_s = time.time()
        if not page.first_s:
            page.first_s = page.last_s
        return True

    def _make_room(self, page: Page, symbols: Sequence[str]) -> bool:
        """Prepare the symbols whose count is zero, if the limit allows all of them."""
        zeros = {symbol for symbol in symbols if not page.counts.get(symbol)}
        size = self._size + len(zeros) * len(page.kinds)
        if size > self._limit:
            return False
        new = zeros - page.counts.keys()
        page.counts.update(dict.fromkeys(new, 0))
        self._size = size
        self.is_due |= bool(new) or 2 * size > self._limit
        return True

    def take(self) -> list[Page]:
        """Return the counts since the last call, and begin again from zero."""
        taken = {key: page for key, page in self._pages.items() if page.first_s}  # others are no longer served
        self._pages = {key: Page(page.snapshot, page.kinds, page.counts) for key, page in taken.items()}
        self._size, self.served, self.is_due = 0, 0, False
        return list(taken.values())
