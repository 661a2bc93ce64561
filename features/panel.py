"""The panel: aligned features of many symbols, held ragged so that memory is bars × features × 4 bytes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Float = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Panel:
    """Features and the series that labels are made of, symbol after symbol.

    Symbol *i* owns rows ``offsets[i]:offsets[i + 1]``. Shapes: ``offsets`` (S + 1,) int64, ``dates``
    (rows,) datetime64[ns], ``features`` (rows, F) float32 with NaN where a feature is not defined yet,
    ``close`` (rows,) float64, ``variance`` (rows,) float64, the bar's variance estimate v_t (overnight +
    Garman–Klass for bars with a range, squared close-to-close return otherwise; NaN in a symbol's first
    row), ``ewma_vol`` (rows,) float64, the per-bar volatility known at each bar (EWMA of v_t).
    ``warmup`` is how many leading bars of each symbol are not to be used.
    """

    symbols: tuple[str, ...]
    feature_names: tuple[str, ...]
    offsets: npt.NDArray[np.int64]
    dates: npt.NDArray[np.datetime64]
    features: Float32
    close: Float
    variance: Float
    ewma_vol: Float
    warmup: int

    def rows(self, index: int) -> slice:
        """Return the rows of the symbol at this position."""
        return slice(int(self.offsets[index]), int(self.offsets[index + 1]))

    def select(self, symbols: tuple[str, ...]) -> Panel:
        """Return a panel of these symbols only, in this order."""
        position = {symbol: i for i, symbol in enumerate(self.symbols)}
        parts = [self.rows(position[symbol]) for symbol in symbols]

        def take(values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
            return np.concatenate([values[part] for part in parts]) if parts else values[:0]

        lengths = [part.stop - part.start for part in parts]
        return Panel(
            symbols=tuple(symbols),
            feature_names=self.feature_names,
            offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            dates=take(self.dates),  # type: ignore[arg-type]
            features=take(self.features),  # type: ignore[arg-type]
            close=take(self.close),  # type: ignore[arg-type]
            variance=take(self.variance),  # type: ignore[arg-type]
            ewma_vol=take(self.ewma_vol),  # type: ignore[arg-type]
            warmup=self.warmup,
        )
