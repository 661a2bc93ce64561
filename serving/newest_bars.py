"""The newest bars that forecasts are made from, mended: the lake's, those of the models' source, or of a given one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from threading import Lock

from configs.data import DataConfig
from configs.errors import DataError, FleetcastError
from configs.schema import Config
from features.bars.schema import SymbolBars
from features.context import MarketContext
from features.context_source import load_context
from features.sources import Source, open_source
from features.sources.mended import MendedSource
from features.sources.table_file import find
from features.store.lake import Lake
from features.store.store import Store

_MAX_BUFFERED = 1_500_000  # bars; 80 MB


@dataclass(frozen=True, slots=True)
class BarsChoice:
    """Where to read bars, by default where the newest model's came from, and the last day to read."""

    name: str | Sequence[str] | None = None
    end: date | None = None


USUAL = BarsChoice()


class NewestBars:
    """Reads the newest bars of the universe that models were fitted on.

    Parameters
    ----------
    store
        The store of the lake.
    name
        ``lake``, or the source to read if the lake has none of the symbols.
    symbols
        The universe: the fitted symbols and those that their features compare them with.
    history_bars
        Number of bars to read per symbol.
    configs
        Configurations of the models, for the market series that their features read.
    choice
        A source that is given is read as it is, whole: its symbols outside the universe can be forecast too.

    Attributes
    ----------
    missing
        Why symbols of the universe have no bars, by symbol; set when they have been read.
    unreadable
        The same for other symbols of the lake.
    """

    def __init__(
        self,
        store: Store,
        name: str | Sequence[str],
        symbols: Sequence[str],
        history_bars: int,
        configs: Sequence[Config],
        choice: BarsChoice = USUAL,
    ) -> None:
        self.is_given = choice.name is not None
        if self.is_given:
            name = choice.name or name
        elif name != "lake" and not frozenset(symbols).isdisjoint(Lake(store).symbols()):
            name = "lake"
        self.store, self.name, self.history_bars = store, name, history_bars
        self.symbols = tuple(symbols)
        self.missing: dict[str, str] = {}
        self.unreadable: dict[str, str] = {}
        self._configs, self._end = configs, choice.end
        self._universe = frozenset(symbols)
        self._reading = Lock()
        self._buffer: list[SymbolBars] | None = None

    def stamp(self) -> str:
        """Return a text that changes with the bars, the market series or their source."""
        contexts = [config.data.context for config in self._configs if config.data.context.kinds]
        series = {self._context_stamp(context.path) for context in contexts}
        end = [f"to {self._end}"] if self._end else []
        return " ".join([str(self.name), self._source().stamp(), *sorted(series), *end])

    def unfitted_symbols(self) -> list[str]:
        """Return the symbols outside the universe of the lake, or of a source that is given."""
        if self.is_given:
            self._read_given()
            return sorted(bars.symbol for bars in self._buffer or () if bars.symbol not in self._universe)
        return sorted(frozenset(Lake(self.store).symbols()).difference(self.symbols)) if self.name == "lake" else []

    def of_universe(self) -> Iterator[SymbolBars]:
        """Yield the bars of each symbol of the universe that has any.

        Featurising needs two passes. Bars are buffered for the second, except those of a large lake, which is streamed
        twice.
        """
        if self.is_given:
            self._read_given()
        if self._buffer is not None:
            yield from (bars for bars in self._buffer if bars.symbol in self._universe)
            return
        source = self._source()
        buffered = self.name != "lake" or len(self.symbols) * self.history_bars <= _MAX_BUFFERED
        buffer: list[SymbolBars] = []
        for bars in source.load(self.symbols, end=self._end):
            newest = bars.last(self.history_bars)
            if buffered:
                buffer.append(newest)
            yield newest
        self.missing = dict(source.missing)
        if buffered:
            self._buffer = buffer

    def of_symbols(self, symbols: frozenset[str]) -> Iterator[SymbolBars]:
        """Yield the bars of these symbols; a symbol outside the universe that fails goes to ``unreadable``."""
        if self.is_given:
            self._read_given()
            yield from (bars for bars in self._buffer or () if bars.symbol in symbols)
            return
        yield from (bars for bars in self.of_universe() if bars.symbol in symbols)
        for symbol in sorted(symbols.difference(self.symbols)):
            source = self._source()
            try:
                found = [bars.last(self.history_bars) for bars in source.load([symbol], end=self._end)]
            except FleetcastError as error:  # no model needs this file, so it must not stop the symbols that have one
                self.unreadable[symbol] = str(error)
                continue
            self.unreadable |= source.missing
            yield from found

    def bars_of(self, symbol: str) -> SymbolBars | None:
        """Return one symbol's bars, or None; a source other than the lake is read once for all symbols."""
        if self.name == "lake" and self._buffer is None:
            found = self._source().load([symbol], end=self._end)
            return next((bars.last(self.history_bars) for bars in found), None)
        with self._reading:
            return next((bars for bars in list(self.of_universe()) if bars.symbol == symbol), None)

    def release(self) -> None:
        """Free the buffered bars of a lake; they can be read again."""
        if self.name == "lake" and not self.is_given:
            self._buffer = None

    def context(self, config: Config) -> MarketContext | None:
        """Return the market series that a model with this configuration was trained with."""
        return load_context(self._source(), config, self.store)

    def _read_given(self) -> None:
        """Read all symbols of the source that was given, once."""
        if self._buffer is None:
            source = self._source()
            self._buffer = [bars.last(self.history_bars) for bars in source.load(end=self._end)]
            self.missing = dict(source.missing)

    def _source(self) -> Source:
        data = self._configs[0].data if self._configs else DataConfig()
        source = open_source(self.name, self.store, None if self.is_given else data.reading)
        return MendedSource(source, data.on_steps)

    def _context_stamp(self, path: str | None) -> str:
        if path is None:
            return Lake(self.store).context_stamp() if self.name == "lake" else ""
        try:
            return " ".join(f"{file} {file.size} {file.stamp}" for file in find(path))
        except DataError:
            return f"{path} is missing"
