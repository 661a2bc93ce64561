"""What a source of bars is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from features.bars.quarantine import Quarantine
from features.bars.schema import SymbolBars
from features.store.store import Store


class Source(Protocol):
    """Bars from one place.

    ``quarantine`` holds the rows that the last :meth:`load` left out and ``missing`` the symbols that it could
    not give, with the reason; both are complete once the iterator is exhausted. Nothing is left out silently.
    """

    name: str
    quarantine: Quarantine
    missing: dict[str, str]

    def load(
        self, symbols: Sequence[str] = (), start: date | None = None, end: date | None = None
    ) -> Iterator[SymbolBars]:
        """Yield each symbol's bars once; all symbols if none is named; ``start`` and ``end`` are both included."""
        ...

    def stamp(self) -> str:
        """Return a text that changes when the bars do; found without reading them."""
        ...


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """How the catalog opens a source: by its name, or by any text that it accepts (``None`` for a name only)."""

    name: str
    open: Callable[[str, Store], Source]
    accepts: Callable[[str], bool] | None = None
