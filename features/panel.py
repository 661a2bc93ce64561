"""The panel: features of many symbols in one array without padding, bars × features × 4 bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from configs.errors import DataError
from configs.feature_groups import FeatureGroup
from features.bars.period import BarPeriod, common_period
from features.universe import UniverseFacts

Float32 = npt.NDArray[np.float32]
Float = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
T = TypeVar("T", bound=np.generic)


@dataclass(frozen=True, slots=True)
class Panel:
    """Features of S symbols and the series from which labels are computed.

    Symbol *i* has the rows ``offsets[i]:offsets[i + 1]``. Shapes: ``offsets`` (S + 1,) int64; ``dates`` (rows,)
    datetime64[ns]; ``features`` (rows, F) float32, NaN where a feature is not defined; ``close`` (rows,) float64;
    ``variance`` (rows,) float64, the bar's variance estimate v_t of :func:`features.labels.bar_variance`; ``ewma_vol``
    (rows,) float64, the per-bar volatility known at each bar (EWMA of v_t). ``periods`` (S) are those of the symbols'
    bars. ``warmup`` is the number of leading bars of each symbol that must not be used. ``universe`` describes the
    universe of the cross-asset features, if any. ``market_wide`` has the group of each feature that is equal for all
    symbols with the same trading days; empty for features that were not computed from bars, of which this is unknown.
    """

    symbols: tuple[str, ...]
    feature_names: tuple[str, ...]
    offsets: npt.NDArray[np.int64]
    dates: npt.NDArray[np.datetime64]
    features: Float32
    close: Float
    variance: Float
    ewma_vol: Float
    periods: tuple[BarPeriod, ...]
    warmup: int
    universe: UniverseFacts | None = None
    market_wide: Mapping[str, FeatureGroup] = field(default_factory=dict)

    @property
    def bars_per_year(self) -> Float:
        """Bars a year of each symbol, (S,)."""
        return np.array([period.bars_per_year for period in self.periods])

    @property
    def period(self) -> BarPeriod:
        """The period of all symbols' bars; :class:`DataError` if they have different ones."""
        return common_period(dict(zip(self.symbols, self.periods, strict=True)))

    def market_columns(self, *, calendar: bool) -> Int64:
        """Return the ascending positions (k,) of features that are equal for all symbols with the same trading days.

        ``calendar`` includes features of the date itself, such as the weekday.
        """
        wanted = {name for name, group in self.market_wide.items() if calendar or group != "calendar"}
        return np.flatnonzero([name in wanted for name in self.feature_names])

    def rows(self, index: int) -> slice:
        """Return the rows of the symbol at this position."""
        return slice(int(self.offsets[index]), int(self.offsets[index + 1]))

    def select(self, symbols: Sequence[str]) -> Panel:
        """Return a panel of these symbols, in this order.

        Raises
        ------
        DataError
            A symbol is not in the panel.
        """
        position = {symbol: i for i, symbol in enumerate(self.symbols)}
        unknown = [symbol for symbol in symbols if symbol not in position]
        if unknown:
            raise DataError(
                f"the panel of {len(self.symbols)} symbols has no {', '.join(map(repr, unknown[:5]))}. "
                "Check the spelling, or add its bars."
            )
        parts = [self.rows(position[symbol]) for symbol in symbols]
        lengths = [part.stop - part.start for part in parts]

        def take(values: npt.NDArray[T]) -> npt.NDArray[T]:
            return np.concatenate([values[part] for part in parts]) if parts else values[:0]

        return replace(
            self,
            symbols=tuple(symbols),
            offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            dates=take(self.dates),
            features=take(self.features),
            close=take(self.close),
            variance=take(self.variance),
            ewma_vol=take(self.ewma_vol),
            periods=tuple(self.periods[position[symbol]] for symbol in symbols),
        )

    def before(self, rows: Int64, symbol: Int64, bars: int) -> tuple[Panel, Int64]:
        """Return the parts of all symbols that windows of so many bars read, and the rows' positions (n,) in them.

        ``rows`` (n,) are rows of this panel, at least one of each symbol; ``symbol`` (n,) are their symbols'
        positions, in ascending order. A part with a missing variance begins at its symbol's first bar.
        """
        of_symbol = np.searchsorted(symbol, np.arange(len(self.symbols)))
        starts = np.maximum(np.minimum.reduceat(rows, of_symbol) + 1 - bars, self.offsets[:-1])
        ends = np.maximum.reduceat(rows, of_symbol) + 1
        for i in range(len(starts)):
            if not np.isfinite(self.variance[starts[i] : ends[i]]).all():
                starts[i] = self.offsets[i]
        lengths = ends - starts
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        source = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], lengths)
        parts = {name: getattr(self, name)[source] for name in ("dates", "close", "variance", "ewma_vol")}
        without = np.empty((len(source), 0), np.float32)
        cut = replace(self, feature_names=(), market_wide={}, features=without, offsets=offsets, **parts)
        return cut, rows - (starts - offsets[:-1])[symbol]

    @classmethod
    def concat(cls, parts: Sequence[Panel]) -> Panel:
        """Join one or more panels of different symbols that were built with the same plan."""
        lengths = np.concatenate([np.diff(part.offsets) for part in parts])
        return replace(
            parts[0],
            symbols=tuple(symbol for part in parts for symbol in part.symbols),
            offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            dates=np.concatenate([part.dates for part in parts]),
            features=np.concatenate([part.features for part in parts]),
            close=np.concatenate([part.close for part in parts]),
            variance=np.concatenate([part.variance for part in parts]),
            ewma_vol=np.concatenate([part.ewma_vol for part in parts]),
            periods=tuple(period for part in parts for period in part.periods),
        )
