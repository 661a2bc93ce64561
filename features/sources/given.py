"""Bars that a person has in memory, as a source."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from types import MappingProxyType

from features.bars.merge import between, fingerprint
from features.bars.quarantine import Quarantine
from features.bars.schema import SymbolBars


class GivenSource:
    """The bars of these symbols; ``quarantine`` are rows that were left out when they were read."""

    name = "given"
    read_as: Mapping[str, tuple[str, ...]] = MappingProxyType({})

    def __init__(self, bars: Iterable[SymbolBars], quarantine: Quarantine | None = None) -> None:
        self._bars = {one.symbol: one for one in bars}
        self.quarantine = Quarantine.empty() if quarantine is None else quarantine
        self.missing: dict[str, str] = {}

    def load(
        self, symbols: Sequence[str] = (), start: date | None = None, end: date | None = None
    ) -> Iterator[SymbolBars]:
        """Yield bars symbol by symbol; see :class:`~features.sources.base.Source`."""
        wanted = list(dict.fromkeys(symbols or self._bars))
        self.missing = {symbol: "it is not among the given bars" for symbol in wanted if symbol not in self._bars}
        for symbol in wanted:
            if symbol in self._bars:
                yield between(self._bars[symbol], start, end)

    def stamp(self) -> str:
        """Return a text that changes when the bars change."""
        return hashlib.sha256("".join(map(fingerprint, self._bars.values())).encode()).hexdigest()
