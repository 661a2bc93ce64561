"""Windows: what forecasts read of their bars, apart from the panel that the bars came from.

Windows that overlap share their bars, so a history is scaled and projected once, not once for each window that holds
a bar.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from training.data.arrays import Float, Float32, T

Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Windows:
    """What n forecasts of one kind of model read.

    Shapes: ``dates`` (n,) datetime64[ns] of each window's last bar; ``bars`` (N, F) float32 features, not scaled, NaN
    where one is missing; ``ends`` (n,) the row of ``bars`` at which each window of ``length`` bars ends; ``series``
    (n, K), what depends on bars long before the window (K is 0 for direction); ``bars_per_year`` (n,) of the symbol.
    """

    dates: npt.NDArray[np.datetime64]
    bars: Float32
    ends: Int64
    series: Float
    bars_per_year: Float
    length: int

    @classmethod
    def of(
        cls,
        dates: npt.NDArray[np.datetime64],
        features: Float32,
        ends: Int64,
        series: Float,
        bars_per_year: Float,
        length: int,
    ) -> Self:
        """Return the windows that end at rows ``ends`` (n,) of ``features`` (rows, F), with only the bars in them."""
        if not len(ends):
            return cls(dates, features[:0], ends, series, bars_per_year, length)
        start = int(ends.min()) - length + 1
        needed = np.zeros(int(ends.max()) + 1 - start, bool)
        for back in range(length):
            needed[ends - back - start] = True
        position = np.cumsum(needed) - 1
        bars = features[start : start + len(needed)][needed]
        return cls(dates, bars, position[ends - start], series, bars_per_year, length)

    @classmethod
    def separate(
        cls, dates: npt.NDArray[np.datetime64], features: Float32, series: Float, bars_per_year: Float
    ) -> Self:
        """Return windows (n, T, F) that share no bars."""
        count, length, width = features.shape
        ends = np.arange(length - 1, count * length, length) if count else np.zeros(0, np.int64)
        return cls(dates, features.reshape(count * length, width), ends, series, bars_per_year, length)

    def __len__(self) -> int:
        """Return n."""
        return len(self.dates)

    @property
    def last(self) -> Float32:
        """Features (n, F) of each window's last bar."""
        return self.bars[self.ends]

    def owners(self, symbols: Int64) -> Int64:
        """Return the symbol (N,) of each bar, given each window's (n,)."""
        return bar_owners(len(self.bars), self.ends, self.length, symbols)

    def gather(self, values: npt.NDArray[T]) -> npt.NDArray[T]:
        """Return values (N, …) of the bars by window, (n, T, …)."""
        out: npt.NDArray[T] = values[self.ends[:, None] + np.arange(1 - self.length, 1)]
        return out

    def take(self, rows: npt.ArrayLike) -> Self:
        """Return these windows, in this order."""
        chosen = np.asarray(rows, np.int64)
        return self.of(
            self.dates[chosen],
            self.bars,
            self.ends[chosen],
            self.series[chosen],
            self.bars_per_year[chosen],
            self.length,
        )

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        """Join windows of one model; there must be at least one part."""
        starts = np.cumsum([0, *(len(part.bars) for part in parts[:-1])])
        return cls(
            np.concatenate([part.dates for part in parts]),
            np.concatenate([part.bars for part in parts]),
            np.concatenate([part.ends + start for part, start in zip(parts, starts, strict=True)]),
            np.concatenate([part.series for part in parts]),
            np.concatenate([part.bars_per_year for part in parts]),
            parts[0].length,
        )


def bar_owners(bars: int, ends: Int64, length: int, owners: Int64) -> Int64:
    """Return the owner (N,) of each of N bars: that of the windows (n,) of ``length`` bars that it lies in."""
    out = np.zeros(bars, np.int64)
    for back in range(length):
        out[ends - back] = owners
    return out
