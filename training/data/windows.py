"""Windows: what forecasts read of their bars, apart from the panel that it came from.

A panel holds histories; a server holds the newest window of every symbol and answers for any mix of them in one pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import numpy.typing as npt

from training.data.arrays import Float, Float32

Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Windows:
    """What n forecasts of one kind of model read.

    Shapes: ``dates`` (n,) datetime64[ns] of each window's last bar; ``features`` (n, T, F) float32, not scaled, NaN
    where one is missing; ``series`` (n, K), what depends on bars long before the window (for volatility the columns of
    :mod:`.volatility_inputs`; for direction K is 0).
    """

    dates: npt.NDArray[np.datetime64]
    features: Float32
    series: Float

    def __len__(self) -> int:
        """Return n."""
        return len(self.dates)

    def take(self, rows: npt.ArrayLike) -> Self:
        """Return these windows, in this order."""
        chosen = np.asarray(rows, np.int64)
        return type(self)(*(getattr(self, one.name)[chosen] for one in fields(self)))

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        """Join windows of one model; there must be at least one part."""
        return cls(*(np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(cls)))


def window_features(features: Float32, places: Int64, window: int) -> Float32:
    """Return the windows (n, T, F) that end at these rows (n,) of a panel's features."""
    out: Float32 = features[places[:, None] + np.arange(1 - window, 1)]
    return out
