"""What one symbol's features need to know of all symbols: one row per date, built in one pass.

With this table a symbol's features are a function of its own bars, the table and the market context only, so any block
of symbols can be computed on any worker. The row of a date holds all closes of that date, and New York's come hours
after Tokyo's; so where symbols do not share one trading day, a bar sees the rows of earlier days only (``lag`` 1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]
Dates = npt.NDArray[np.datetime64]

MIN_SYMBOLS = 3  # below this, "the universe" is the symbol itself
RANK_LIMIT = 8.0  # ranked quantities are mapped to −limit … limit; what is beyond shares the outermost rank
QUANTILES = 33  # a power of two plus one, for the binary search of UniverseRows.rank
_MAX_AGE = np.timedelta64(7, "D")  # a bar further from the table's last row than this finds no universe


def rank_names(periods: tuple[int, ...]) -> tuple[str, ...]:
    """Return the names of the quantities that symbols are ranked by."""
    return (*(f"return_{p}" for p in (1, *periods)), "volatility", "volume_change")


@dataclass(frozen=True, slots=True)
class UniverseRows:
    """The table as of one symbol's N bars; NaN where no row is recent enough.

    ``log_index`` (N,): cumulative equal-weight log return; ``dispersion`` (N,): standard deviation of the symbols'
    returns; ``breadth`` (N,): share of symbols that rose; ``volatility`` (N,): mean of the symbols' √v.
    """

    log_index: Float
    dispersion: Float
    breadth: Float
    volatility: Float
    _position: npt.NDArray[np.int64]
    _quantiles: Mapping[str, Float32]

    def rank(self, name: str, values: Float) -> Float:
        """Return the cross-sectional rank of ``values`` (N,), −½ … ½; NaN where either side is unknown."""
        grid = self._quantiles[name]  # (D, Q)
        last = grid.shape[1] - 1
        x = np.clip(values, -RANK_LIMIT, RANK_LIMIT).astype(np.float32)
        flat, left = grid.ravel(), np.maximum(self._position, 0) * grid.shape[1]
        start = left.copy()
        step = last // 2
        while step:  # binary search in every row at once: Q − 1 is a power of two
            left += step * (flat[left + step] <= x)
            step //= 2
        low, high = flat[left], flat[left + 1]
        part = np.clip((x - low) / np.where(high > low, high - low, np.float32(1.0)), 0.0, 1.0)
        rank = (left - start + part.astype(np.float64)) / last - 0.5
        return np.where((self._position < 0) | np.isnan(low) | np.isnan(x), np.nan, rank)


@dataclass(frozen=True, slots=True)
class UniverseFacts:
    """What a model must remember of the universe it was fitted with: how many symbols, and the lag of its rows."""

    members: int
    lag: int


@dataclass(frozen=True, slots=True)
class UniverseTable:
    """One row per date with at least three symbols, sorted.

    Shapes: ``dates`` (D,) datetime64[ns]; ``count`` (D,) symbols with a bar; ``log_index``, ``dispersion``,
    ``breadth``, ``volatility`` (D,) as in :class:`UniverseRows`; ``quantiles``: per ranked quantity, (D, Q) float32,
    evenly spaced quantiles over the symbols (NaN where fewer than three have it). ``periods`` are the lookbacks it
    was built for, ``members`` is the number of symbols it was built of.

    ``lag`` guards against look-ahead between time zones: with 0 a bar sees the rows up to its own stamp, with 1 only
    those of days before its own. Whoever looks something up in this table, in training or years later, uses its lag.
    ``calendars`` are what was found where the data decided on it, one name or several that differ; it is told to people
    and not kept.
    """

    periods: tuple[int, ...]
    members: int
    lag: int
    dates: Dates
    count: npt.NDArray[np.int32]
    log_index: Float
    dispersion: Float
    breadth: Float
    volatility: Float
    quantiles: Mapping[str, Float32]
    calendars: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is no date with enough symbols, so that nothing can be relative to the universe."""
        return len(self.dates) == 0

    @property
    def facts(self) -> UniverseFacts | None:
        """What a model fitted with this table must remember; None of an empty one, to which nothing is relative."""
        return None if self.is_empty else UniverseFacts(self.members, self.lag)

    @classmethod
    def unknown(cls, periods: tuple[int, ...], lag: int) -> UniverseTable:
        """Return a table in which every bar finds nothing, so that all that is relative to the universe is NaN.

        It stands for a universe that exists but is not at hand; an empty table says that there is none.
        """
        nothing = np.full(1, np.nan)
        return cls(
            periods=periods,
            members=0,
            lag=lag,
            dates=np.array([np.iinfo(np.int64).min + 1]).view("datetime64[ns]"),
            count=np.zeros(1, np.int32),
            log_index=nothing,
            dispersion=nothing,
            breadth=nothing,
            volatility=nothing,
            quantiles={name: np.full((1, QUANTILES), np.nan, np.float32) for name in rank_names(periods)},
        )

    def at(self, dates: Dates) -> UniverseRows:
        """Return the latest row that may be known to bars of these dates, shape (N,)."""
        if self.lag:
            position = np.searchsorted(self.dates, dates.astype("datetime64[D]"), side="left") - 1
        else:
            position = np.searchsorted(self.dates, dates, side="right") - 1
        if self.is_empty:
            position = np.full(len(dates), -1)
        else:
            position[dates - self.dates[np.maximum(position, 0)] > _MAX_AGE] = -1

        def take(values: Float) -> Float:
            if self.is_empty:
                return np.full(len(dates), np.nan)
            return np.where(position < 0, np.nan, values[np.maximum(position, 0)])

        quantiles = self.quantiles
        if self.is_empty:
            quantiles = {name: np.full((1, grid.shape[1]), np.nan, np.float32) for name, grid in quantiles.items()}
        return UniverseRows(
            take(self.log_index), take(self.dispersion), take(self.breadth), take(self.volatility), position, quantiles
        )

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the table as plain numeric arrays (dates as int64 nanoseconds)."""
        arrays: dict[str, npt.NDArray[Any]] = {
            "periods": np.array(self.periods, np.int64),
            "members": np.array([self.members], np.int64),
            "lag": np.array([self.lag], np.int64),
            "dates": self.dates.astype("datetime64[ns]").astype(np.int64),
            "count": self.count,
            "log_index": self.log_index,
            "dispersion": self.dispersion,
            "breadth": self.breadth,
            "volatility": self.volatility,
        }
        return arrays | {f"quantiles.{name}": grid for name, grid in self.quantiles.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> UniverseTable:
        """Invert :meth:`to_arrays`."""
        prefix = "quantiles."
        return cls(
            periods=tuple(int(p) for p in arrays["periods"]),
            members=int(arrays["members"][0]),
            lag=int(arrays["lag"][0]),
            dates=arrays["dates"].astype(np.int64).view("datetime64[ns]"),
            count=arrays["count"],
            log_index=arrays["log_index"],
            dispersion=arrays["dispersion"],
            breadth=arrays["breadth"],
            volatility=arrays["volatility"],
            quantiles={k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)},
        )
