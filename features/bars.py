"""The bar: one row of open, high, low, close and volume, and the arrays of one symbol's bars."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]
Dates = npt.NDArray[np.datetime64]


@dataclass(frozen=True, slots=True)
class SymbolBars:
    """One symbol's bars, clean: sorted by date, unique, adjusted for splits and dividends, prices > 0.

    ``dates`` is ``datetime64[ns]`` of shape (N,): midnight for sessions, UTC for intraday. Prices and
    volume are float64 of shape (N,). A close-only series has ``open = high = low = close`` and
    ``has_range`` false; a series without volume has zeros and ``has_volume`` false.
    """

    symbol: str
    dates: Dates
    open: Float
    high: Float
    low: Float
    close: Float
    volume: Float
    has_range: bool
    has_volume: bool

    def __len__(self) -> int:
        return len(self.dates)
