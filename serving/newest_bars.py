"""The newest bars that forecasts are made from, mended: the lake's, those of the models' source, or of a given one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import date
from threading import Lock

import numpy as np

from configs.data import DataConfig
from configs.errors import FleetcastError, StoreError
from configs.schema import Config
from features.bars.schema import SymbolBars
from features.context import MarketContext
from features.context_source import available_context, context_stamp
from features.known_source import alternative_stamp
from features.sources import open_source
from features.sources.given import GivenSource
from features.sources.mended import MendedSource
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
    fitted
        Those of ``symbols`` that have a model.
    history_bars
        Number of bars to read per symbol.
    configs
        Configurations of the models, for the market series that their features read.
    choice
        A source that is given is read as it is, whole: its symbols outside the universe can be forecast too.

    Attributes
    ----------
    missing
        Why symbols of the universe have no usable bars, by symbol; set when they have been read. Bars with a step that
        nothing explains are not usable, as in training: neither a forecast nor the universe's features see them.
    unreadable
        The same for other symbols.
    """

    def __init__(
        self,
        store: Store,
        name: str | Sequence[str],
        symbols: Sequence[str],
        history_bars: int,
        configs: Sequence[Config],
        choice: BarsChoice = USUAL,
        fitted: frozenset[str] | None = None,
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
        self._configs = configs
        self._end: date | np.datetime64 | None = choice.end
        self._universe = frozenset(symbols)
        self._fitted = self._universe if fitted is None else fitted
        self._reading = Lock()
        self._buffer: list[SymbolBars] | None = None

    def stamp(self) -> str:
        """Return a text that changes with the bars, the market series or their source."""
        contexts = [config.data.context for config in self._configs if config.data.context.kinds]
        series = {context_stamp(self.store, context, is_lake=self.name == "lake") for context in contexts}
        series |= {alternative_stamp(self.store, config.features) for config in self._configs} - {""}
        end = [f"to {self._end}"] if self._end else []
        data = self._data
        rules = f"steps {data.on_steps} {data.max_unexplained_steps} {data.start}"
        return " ".join([str(self.name), self._source().stamp(), *sorted(series), *end, rules])

    def unfitted_symbols(self) -> list[str]:
        """Return the symbols without a model of the lake or of a source that is given, else of the universe."""
        names = self._universe
        if self.is_given:
            self._read_given()
            names = frozenset(bars.symbol for bars in self._buffer or ()).union(self.unreadable)
        elif self.name == "lake":
            names = frozenset(Lake(self.store).symbols())
        return sorted(names - self._fitted)

    def lake_symbols_not_read(self) -> list[str]:
        """Return the symbols of a lake that has none of the universe's, so that another source is read."""
        return [] if self.is_given or self.name == "lake" else Lake(self.store).symbols()

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
        refused = dict[str, str]()
        for newest in self._usable(source, self.symbols, refused):
            if buffered:
                buffer.append(newest)
            yield newest
        self.missing = source.missing | refused
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
                found = list(self._usable(source, [symbol], self.unreadable))
            except FleetcastError as error:  # no model needs this file, so it must not stop the symbols that have one
                self.unreadable[symbol] = str(error)
                continue
            self.unreadable |= source.missing
            yield from found

    def bars_of(self, symbol: str) -> SymbolBars | None:
        """Return one symbol's bars, or None; a source other than the lake is read once for all symbols."""
        if self.name == "lake" and self._buffer is None:
            return next(self._usable(self._source(), [symbol], {}), None)
        with self._reading:
            return next((bars for bars in list(self.of_universe()) if bars.symbol == symbol), None)

    def read(self, symbols: frozenset[str]) -> tuple[list[SymbolBars], dict[str, str]]:
        """Return all bars of these symbols as their source has them, and why others have none."""
        source = self._source().source
        try:
            found = [one for one in source.load(() if self.is_given else sorted(symbols)) if one.symbol in symbols]
        except StoreError as error:
            if self.is_given:
                raise
            return self._one_by_one(sorted(symbols), error)
        return found, dict(source.missing)

    def _one_by_one(self, symbols: Sequence[str], error: StoreError) -> tuple[list[SymbolBars], dict[str, str]]:
        """Return what :meth:`read` does where a file is damaged; raise the error if no symbol can be read."""
        found, missing = list[SymbolBars](), dict[str, str]()
        for symbol in symbols:
            source = self._source().source
            try:
                found += source.load([symbol])
                missing |= source.missing
            except StoreError as problem:
                self.unreadable[symbol] = str(problem)
        if not found:
            raise error
        return found, missing | self.unreadable

    def mended(self, bars: Sequence[SymbolBars]) -> list[tuple[SymbolBars, str]]:
        """Return bars that were read, mended, and why training would skip a symbol; an empty text if it would not."""
        source = MendedSource(GivenSource(bars), self._data.on_steps)
        return [(one, self._problem(source, one)) for one in source.load()]

    def cut(self, bars: Sequence[SymbolBars], until: np.datetime64) -> NewestBars:
        """Return the newest of these mended bars, which end at a date, in place of those of the source."""
        found = copy(self)
        found.is_given, found._end = True, until
        found._buffer = [one.last(self.history_bars) for one in bars]
        return found

    def release(self) -> None:
        """Free the buffered bars of a lake; they can be read again."""
        if self.name == "lake" and not self.is_given:
            self._buffer = None

    def context(self, config: Config) -> MarketContext | None:
        """Return the market series that a model with this configuration reads; see :func:`available_context`."""
        return available_context(self._source(), config, self.store)

    def _read_given(self) -> None:
        """Read all symbols of the source that was given, once."""
        if self._buffer is None:
            source, refused = self._source(), dict[str, str]()
            self._buffer = list(self._usable(source, (), refused))
            reasons = source.missing | refused
            self.missing = {symbol: why for symbol, why in reasons.items() if symbol in self._universe}
            self.unreadable = {symbol: why for symbol, why in reasons.items() if symbol not in self._universe}

    def _usable(self, source: MendedSource, symbols: Sequence[str], refused: dict[str, str]) -> Iterator[SymbolBars]:
        """Yield the newest bars of these symbols, and add those that training would skip for a step to ``refused``."""
        for bars in source.load(symbols, end=None if isinstance(self._end, np.datetime64) else self._end):
            if problem := self._problem(source, bars):
                refused[bars.symbol] = problem
            else:
                yield bars.last(self.history_bars)

    def _problem(self, source: MendedSource, bars: SymbolBars) -> str:
        """Return why training would skip a symbol for a step in its newest bars, or an empty text."""
        first, start = bars.dates[max(len(bars) - self.history_bars, 0)], self._data.start
        since = first if start is None else max(first, np.datetime64(start, "ns"))
        return source.problem(bars.symbol, self._data.max_unexplained_steps, since)

    @property
    def _data(self) -> DataConfig:
        return self._configs[0].data if self._configs else DataConfig()

    def _source(self) -> MendedSource:
        source = open_source(self.name, self.store, None if self.is_given else self._data.reading)
        return MendedSource(source, self._data.on_steps)
