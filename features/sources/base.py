"""The interface of a source of bars."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

from configs.reading import ReadingConfig
from features.bars.quarantine import Quarantine
from features.bars.schema import SymbolBars
from features.store.store import Store


class Source(Protocol):
    """A source of bars.

    After :meth:`load` is exhausted, ``quarantine`` has all rows that it left out, and ``missing`` the reason of every
    requested symbol that it did not yield. ``read_as`` says in lines how each symbol's table was read.
    """

    name: str
    quarantine: Quarantine
    missing: dict[str, str]

    @property
    def read_as(self) -> Mapping[str, tuple[str, ...]]:
        """How the table of each yielded symbol was read, in lines; empty for sources without tables of users."""
        ...

    def load(
        self, symbols: Sequence[str] = (), start: date | None = None, end: date | None = None
    ) -> Iterator[SymbolBars]:
        """Yield each symbol's bars once; all symbols if ``symbols`` is empty; ``start`` and ``end`` are inclusive."""
        ...

    def stamp(self) -> str:
        """Return a text that changes when the bars change, without reading them."""
        ...


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """How to open a source: by its name, or by any text that ``accepts`` is true of (``None``: by name only).

    ``files`` opens a list of paths too.
    """

    name: str
    open: Callable[[Any, Store, ReadingConfig], Source]
    accepts: Callable[[str], bool] | None = None


def read_lines(read_as: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Return the distinct lines of all symbols, with the number of symbols that each is true of if not of all."""
    counts = Counter(line for lines in read_as.values() for line in lines)
    return [
        line if count == len(read_as) else f"{line} ({count:,} of {len(read_as):,} symbols)"
        for line, count in counts.most_common()
    ]
