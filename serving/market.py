"""The bars that forecasts follow: the lake's, or else those of the place that the models were trained from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from threading import Lock

from configs.errors import DataError, FleetcastError
from configs.schema import Config
from features.bars.schema import SymbolBars
from features.context import MarketContext
from features.context_source import load_context
from features.sources import Source, open_source
from features.sources.table_file import find
from features.store.lake import Lake
from features.store.store import Store

_KEPT_BARS = 1_500_000  # 80 MB


class Market:
    """Newest bars of the symbols that models were trained for.

    Parameters
    ----------
    store
        Where the lake is.
    name
        The source to read where the lake holds none of the symbols, or ``lake``.
    symbols
        Those to forecast, and those that they are compared with.
    history_bars
        How many bars of each are read.
    configs
        Those of the models; they name the market series that features read.
    """

    def __init__(
        self, store: Store, name: str, symbols: Sequence[str], history_bars: int, configs: Sequence[Config]
    ) -> None:
        if name != "lake" and not frozenset(symbols).isdisjoint(Lake(store).symbols()):
            name = "lake"
        self.store, self.name, self.history_bars = store, name, history_bars
        self.symbols = tuple(symbols)
        self.missing: dict[str, str] = {}
        self.unread: dict[str, str] = {}
        self._configs = configs
        self._reading = Lock()
        self._kept: list[SymbolBars] | None = None

    def stamp(self) -> str:
        """Return a text that changes when there are newer bars or market series, or they come from another place."""
        wanted = [config.data.context for config in self._configs if config.data.context.kinds]
        series = {self._stamp_of(context.path) for context in wanted}
        return " ".join([self.name, self._source().stamp(), *sorted(series)])

    def others(self) -> list[str]:
        """Return the lake's symbols that are none of :attr:`symbols`."""
        return sorted(frozenset(Lake(self.store).symbols()).difference(self.symbols)) if self.name == "lake" else []

    def wanted_bars(self, wanted: frozenset[str]) -> Iterator[SymbolBars]:
        """Yield the newest bars of these symbols; others than :attr:`symbols` may fail and are then in ``unread``."""
        yield from (one for one in self.bars() if one.symbol in wanted)
        for symbol in sorted(wanted.difference(self.symbols)):
            source = self._source()
            try:
                found = [one.last(self.history_bars) for one in source.load([symbol])]
            except FleetcastError as error:  # no model needs this symbol: its file must not stop those that are served
                self.unread[symbol] = str(error)
                continue
            self.unread |= source.missing
            yield from found

    def bars(self) -> Iterator[SymbolBars]:
        """Yield each symbol's newest bars; those that have none are in ``missing`` afterwards, with the reason.

        Features need a second pass: bars are kept for it, but those of a large lake are streamed twice.
        """
        if self._kept is not None:
            yield from self._kept
            return
        source = self._source()
        keep = self.name != "lake" or len(self.symbols) * self.history_bars <= _KEPT_BARS
        kept: list[SymbolBars] = []
        for one in source.load(self.symbols):
            recent = one.last(self.history_bars)
            if keep:
                kept.append(recent)
            yield recent
        self.missing = dict(source.missing)
        if keep:
            self._kept = kept

    def forget(self) -> None:
        """Free the bars of a lake; they can be read again."""
        if self.name == "lake":
            self._kept = None

    def of(self, symbol: str) -> SymbolBars | None:
        """Return one symbol's newest bars, or None; those of a source other than the lake are read once."""
        if self.name == "lake" and self._kept is None:
            return next((one.last(self.history_bars) for one in self._source().load([symbol])), None)
        with self._reading:
            return next((one for one in list(self.bars()) if one.symbol == symbol), None)

    def context(self, config: Config) -> MarketContext | None:
        """Return the market series that a model with this configuration was trained with."""
        return load_context(self._source(), config, self.store)

    def _source(self) -> Source:
        return open_source(self.name, self.store)

    def _stamp_of(self, path: str | None) -> str:
        if path is None:
            return Lake(self.store).context_stamp() if self.name == "lake" else ""
        try:
            return " ".join(f"{file} {file.size} {file.stamp}" for file in find(path))
        except DataError:
            return f"{path} is gone"
