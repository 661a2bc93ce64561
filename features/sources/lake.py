"""The store's lake as a source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from types import MappingProxyType

from configs.errors import DataError
from configs.reading import ReadingConfig
from configs.words import counted
from features.bars.quarantine import Quarantine
from features.bars.schema import SymbolBars
from features.sources.base import SourceSpec
from features.store.concurrent import in_order
from features.store.lake import Lake
from features.store.store import Store


class LakeSource:
    """Bars that were imported or fetched into the lake."""

    name = "lake"
    read_as: Mapping[str, tuple[str, ...]] = MappingProxyType({})

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self.quarantine = Quarantine.empty()
        self.missing: dict[str, str] = {}

    def load(
        self, symbols: Sequence[str] = (), start: date | None = None, end: date | None = None
    ) -> Iterator[SymbolBars]:
        """Yield bars symbol by symbol; see :class:`~features.sources.base.Source`."""
        stored = self.lake.symbols()
        if not stored:
            raise DataError(f"the lake at {self.lake.store.uri!r} is empty. Fill it: fleetcast data import PATH.")
        known, with_quarantine, parts = set(stored), self.lake.quarantined(), list[Quarantine]()
        wanted = list(dict.fromkeys(symbols or stored))
        self.missing = {s: f"not in the lake of {counted(len(stored), 'symbol')}" for s in wanted if s not in known}
        found = [symbol for symbol in wanted if symbol in known]
        for bars in in_order(self.lake.store, lambda symbol: self.lake.read(symbol, start, end), found):
            if bars.symbol in with_quarantine:
                parts.append(self.lake.quarantine(bars.symbol))
            if len(bars):
                yield bars
            else:
                self.missing[bars.symbol] = "no bars in the requested period"
        self.quarantine = Quarantine.concat(parts)

    def stamp(self) -> str:
        """Return the lake's stamp."""
        return self.lake.stamp()


def _open(spec: str, store: Store, reading: ReadingConfig) -> LakeSource:
    return LakeSource(Lake(store))


SPEC = SourceSpec(name="lake", open=_open)
