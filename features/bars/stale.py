"""Stale bars: runs that repeat one price without volume, which a suspended or delisted symbol leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from features.bars.arrays import PRICES, Float, Mask

if TYPE_CHECKING:
    from features.bars.schema import SymbolBars

_MIN_BARS = 5  # a week: fewer are days without a trade


@dataclass(frozen=True, slots=True)
class StaleRun:
    """``bars`` bars from ``first`` to ``last`` that repeat the close before them, without volume."""

    first: np.datetime64
    last: np.datetime64
    bars: int

    def __str__(self) -> str:
        """Return such as ``31 bars from 2022-04-19 to 2022-05-31``."""
        return f"{self.bars} bars from {str(self.first)[:10]} to {str(self.last)[:10]}"


def stale_runs(bars: SymbolBars) -> tuple[StaleRun, ...]:
    """Return the runs of at least five bars that repeat one price and have no volume, by date.

    A currency, whose bars never have volume, repeats no price for days; a close-only fund without volume may.
    """
    if not len(bars):
        return ()
    prices = {name: getattr(bars, name) for name in PRICES}
    runs = _runs(stale_rows(prices, bars.volume, np.array([0, len(bars)])))
    return tuple(StaleRun(bars.dates[start], bars.dates[end - 1], int(end - start)) for start, end in runs.tolist())


def stale_rows(prices: Mapping[str, Float], volume: Float, offsets: npt.NDArray[np.int64]) -> Mask:
    """Return which of the bars (N,) are of such a run; symbol *i* has the rows ``offsets[i]:offsets[i + 1]``."""
    flat = volume == 0.0
    for name in PRICES:
        flat[1:] &= prices[name][1:] == prices["close"][:-1]
    flat[offsets[:-1]] = False
    for start, end in _runs(flat):
        flat[start:end] = end - start >= _MIN_BARS
    return np.asarray(flat)


def _runs(flat: Mask) -> npt.NDArray[np.int64]:
    """Return the first row of each run, and the one after its last, (runs, 2)."""
    edges: npt.NDArray[np.int64] = np.flatnonzero(np.diff(flat.astype(np.int8), prepend=0, append=0)).reshape(-1, 2)
    return edges
