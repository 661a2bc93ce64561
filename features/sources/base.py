"""The interface of a source of bars."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

from features.bars.quarantine import Quarantine
from features.bars.schema import SymbolBars
from features.store.store import Store


class Source(Protocol):
    """A source of bars.

    After :meth:`load` is exhausted, ``quarantine`` has all rows that it left out, and ``missing`` the reason of every
    requested symbol that it did not yield.
    """

    name: str
    quarantine: Quarantine
    missing: dict[str, str]

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
    open: Callable[[Any, Store], Source]
    accepts: Callable[[str], bool] | None = None
