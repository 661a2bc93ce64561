"""The bars that forecasts follow: the lake's, or else those of the place that the models were trained from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from configs.schema import Config
from features.bars import SymbolBars
from features.context import MarketContext
from features.lake import Lake
from features.sources import Source, open_source
from features.store import Store
from training.trainer import load_context


class Market:
    """Newest bars of the symbols that models were trained for.

    Parameters
    ----------
    store
        Where the lake is.
    config
        That of the models; it names the place of their bars and the market context.
    symbols
        Those to forecast. If the lake holds any of them it is read, else the place that ``config`` names.
    history_bars
        How many bars of each are read.
    name
        The source to read whatever the lake holds.
    """

    def __init__(
        self, store: Store, config: Config, symbols: Sequence[str], history_bars: int, name: str | None = None
    ) -> None:
        if name is None:
            held = frozenset(Lake(store).symbols())
            name = "lake" if any(symbol in held for symbol in symbols) else config.data.bars
        self.name = name
        self.symbols = tuple(symbols)
        self.missing: dict[str, str] = {}
        self._store, self._config, self._history_bars = store, config, history_bars
        self._kept: list[SymbolBars] | None = None

    def stamp(self) -> str:
        """Return a text that changes when there are newer bars, or when they come from another place."""
        return f"{self.name} {self._source().stamp()}"

    def bars(self) -> Iterator[SymbolBars]:
        """Yield each symbol's newest bars; those that have none are in ``missing`` afterwards, with the reason.

        The lake is streamed; what other sources parse is kept, because features need a second pass.
        """
        if self._kept is not None:
            yield from self._kept
            return
        source = self._source()
        kept: list[SymbolBars] = []
        for one in source.load(self.symbols):
            recent = one.last(self._history_bars)
            if self.name != "lake":
                kept.append(recent)
            yield recent
        self.missing = dict(source.missing)
        if self.name != "lake":
            self._kept = kept

    def of(self, symbol: str) -> SymbolBars | None:
        """Return one symbol's newest bars, or None if it has none."""
        if self._kept is not None:
            return next((one for one in self._kept if one.symbol == symbol), None)
        return next((one.last(self._history_bars) for one in self._source().load([symbol])), None)

    def context(self) -> MarketContext | None:
        """Return the market series that the models were trained with."""
        return load_context(self._source(), self._config, self._store)

    def _source(self) -> Source:
        return open_source(self.name, self._store)
