"""The universe's table: statistics of all symbols per date, from which cross-asset features are computed.

With this table a symbol's features are a function of its own bars, the table and the market context only, so any worker
can compute any block of symbols. A date's row uses all closes of that date, and New York closes hours after Tokyo:
unless all symbols share one trading calendar, a bar uses rows of earlier days only (``lag`` 1).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]
Dates = npt.NDArray[np.datetime64]

MIN_SYMBOLS = 3  # with fewer, statistics of the universe are mostly those of the symbol itself
RANK_LIMIT = 8.0  # ranked quantities are mapped to −limit … limit; larger ones share the outermost rank
QUANTILES = 33  # a power of two plus one, for the binary search of UniverseRows.rank
_MAX_AGE = np.timedelta64(7, "D")  # rows older than this are not used


def rank_names(periods: tuple[int, ...]) -> tuple[str, ...]:
    """Return the names of the quantities by which symbols are ranked."""
    return (*(f"return_{p}" for p in (1, *periods)), "volatility", "volume_change")


@dataclass(frozen=True, slots=True)
class UniverseRows:
    """The rows of the table for one symbol's N bars; NaN where no row is recent enough.

    ``log_index`` (N,): cumulative equal-weight log return; ``dispersion`` (N,): standard deviation of the symbols'
    returns; ``breadth`` (N,): share of rising symbols; ``volatility`` (N,): mean of the symbols' √v.
    """

    log_index: Float
    dispersion: Float
    breadth: Float
    volatility: Float
    _position: npt.NDArray[np.int64]
    _quantiles: Mapping[str, Float32]
    _derived: dict[Hashable, Float] = field(default_factory=dict, repr=False)

    def once(self, name: Hashable, compute: Callable[[], Float]) -> Float:
        """Return what ``compute`` makes of these rows; it is kept, for other symbols with the same dates."""
        if name not in self._derived:
            self._derived[name] = compute()
        return self._derived[name]

    def rank(self, name: str, values: Float) -> Float:
        """Return the cross-sectional rank of ``values`` (N,), −½ … ½; NaN for NaN values and without a row."""
        grid = self._quantiles[name]  # (D, Q)
        last = grid.shape[1] - 1
        x = np.minimum(np.maximum(values, -RANK_LIMIT), RANK_LIMIT).astype(np.float32)
        flat, start = grid.ravel(), np.maximum(self._position, 0) * grid.shape[1]
        left = start.copy()
        step = last // 2
        while step:  # binary search in every row at once: Q − 1 is a power of two
            left += step * (flat[left + step] <= x)
            step //= 2
        low, high = flat[left], flat[left + 1]
        fraction = (x - low) / np.where(high > low, high - low, np.float32(1.0))
        fraction = np.minimum(np.maximum(fraction, 0.0), 1.0)
        rank = (left - start + fraction.astype(np.float64)) / last - 0.5
        return np.where((self._position < 0) | np.isnan(low) | np.isnan(x), np.nan, rank)


@dataclass(frozen=True, slots=True)
class UniverseFacts:
    """The universe of a fitted model: its number of symbols, and the lag of its rows."""

    members: int
    lag: int


@dataclass(frozen=True, slots=True)
class UniverseTable:
    """One row per date with at least three symbols, sorted.

    Shapes: ``dates`` (D,) datetime64[ns]; ``count`` (D,) symbols with a bar; ``log_index``, ``dispersion``,
    ``breadth``, ``volatility`` (D,) as in :class:`UniverseRows`; ``quantiles``: per ranked quantity, (D, Q) float32,
    evenly spaced quantiles over the symbols (NaN where fewer than three have a value). ``periods`` are its lookback
    periods, ``members`` is the number of its symbols.

    ``lag`` prevents look-ahead between time zones: with 0 a bar uses rows up to its own stamp, with 1 rows of earlier
    days only. It applies in training and in serving. ``calendars`` are the trading calendars from which the lag was
    derived, for messages; they are not stored.
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
    _newest_rows: dict[bytes, UniverseRows] = field(init=False, default_factory=dict, repr=False, compare=False)

    @property
    def is_empty(self) -> bool:
        """Whether no date has enough symbols, so that there are no features relative to the universe."""
        return len(self.dates) == 0

    @property
    def facts(self) -> UniverseFacts | None:
        """The universe as stored with a model; ``None`` for an empty table."""
        return None if self.is_empty else UniverseFacts(self.members, self.lag)

    @classmethod
    def unknown(cls, periods: tuple[int, ...], lag: int) -> UniverseTable:
        """Return a table without rows for any bar, so that all features relative to the universe are NaN.

        It represents a universe whose bars are not available; an empty table represents no universe.
        """
        missing = np.full(1, np.nan)
        return cls(
            periods=periods,
            members=0,
            lag=lag,
            dates=np.array([np.iinfo(np.int64).min + 1]).view("datetime64[ns]"),
            count=np.zeros(1, np.int32),
            log_index=missing,
            dispersion=missing,
            breadth=missing,
            volatility=missing,
            quantiles={name: np.full((1, QUANTILES), np.nan, np.float32) for name in rank_names(periods)},
        )

    def at(self, dates: Dates) -> UniverseRows:
        """Return the latest rows known at bars of these dates (N,).

        The rows of the last call are kept, because most symbols of a universe have the same dates.
        """
        key = dates.tobytes()
        found = self._newest_rows.get(key)
        if found is None:
            found = self._at(dates)
            self._newest_rows.clear()
            self._newest_rows[key] = found
        return found

    def _at(self, dates: Dates) -> UniverseRows:
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
