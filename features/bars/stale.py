"""Stale bars: runs that repeat one price without volume, which a suspended or delisted symbol leaves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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
    if len(bars) < _MIN_BARS:
        return ()
    same = (bars.high == bars.low) & (bars.volume == 0.0)
    same[1:] &= bars.close[1:] == bars.close[:-1]
    same[0] = False
    edges = np.diff(np.concatenate([[False], same, [False]]).astype(np.int8))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    long = ends - starts >= _MIN_BARS
    return tuple(
        StaleRun(bars.dates[start], bars.dates[end - 1], int(end - start))
        for start, end in zip(starts[long].tolist(), ends[long].tolist(), strict=True)
    )
