"""Building a :class:`~features.universe.UniverseTable` from a stream of symbols.

Memory is dates × bins for any number of symbols: sums for the moments, and a histogram per date and quantity for the
ranks. Histograms do not depend on the order of the symbols.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from itertools import islice

import numpy as np
import numpy.typing as npt

from configs.data import FeatureConfig
from features.bars.schema import SymbolBars
from features.bars.shared_calendar import SharedCalendar
from features.inputs import Inputs, Layout
from features.universe import (
    MIN_SYMBOLS,
    QUANTILES,
    RANK_LIMIT,
    Dates,
    Float,
    Float32,
    UniverseTable,
    rank_names,
)

_BINS = 256
_CHUNK = 32  # symbols whose dates are merged together, because new dates require a copy of all arrays
_BLOCK = 4096  # dates whose cumulative histograms are in memory together
_SUMS = ("symbols", "returns", "return", "return_squared", "rising", "variances", "volatility")


def build_universe(
    bars: Iterable[SymbolBars], config: FeatureConfig | None = None, members: Container[str] | None = None
) -> UniverseTable:
    """Return the table of the symbols in ``config.universe`` and ``members``, each all symbols by default.

    ``bars`` is read once, a chunk of symbols in memory at a time. Dates with fewer than three symbols have no row.
    Unless ``config.universe_lag`` is set, the lag follows from the calendars of *all* symbols in ``bars``, because
    symbols outside the universe use the table too.
    """
    config = config or FeatureConfig()
    chosen = frozenset(config.universe)
    calendar = SharedCalendar()

    def chosen_bars() -> Iterator[SymbolBars]:
        for symbol_bars in bars:
            if config.universe_lag is None:
                calendar.add(symbol_bars.dates)
            symbol = symbol_bars.symbol
            if (not chosen or symbol in chosen) and (members is None or symbol in members):
                yield symbol_bars

    accumulator, stream = _Accumulator(config.lookback_periods), chosen_bars()
    while chunk := list(islice(stream, _CHUNK)):
        accumulator.add(chunk)
    lag = calendar.lag if config.universe_lag is None else config.universe_lag
    return accumulator.table(lag, calendar.calendars)


class _Accumulator:
    def __init__(self, periods: tuple[int, ...]) -> None:
        self.layout = Layout(periods)
        self.members = 0
        self.dates: Dates = np.empty(0, "datetime64[ns]")
        self.sums: dict[str, Float] = {name: np.zeros(0) for name in _SUMS}
        self.counts = {name: np.zeros((0, _BINS), np.int32) for name in rank_names(periods)}

    def add(self, chunk: list[SymbolBars]) -> None:
        self._grow(np.unique(np.concatenate([self.dates, *(b.dates for b in chunk)])))
        self.members += len(chunk)
        for bars in chunk:
            self._add_symbol(bars, np.searchsorted(self.dates, bars.dates))

    def _grow(self, dates: Dates) -> None:
        if len(dates) == len(self.dates):
            return
        rows = np.searchsorted(dates, self.dates)
        for name, old in self.sums.items():
            self.sums[name] = np.zeros(len(dates))
            self.sums[name][rows] = old
        for name, counts in self.counts.items():
            self.counts[name] = np.zeros((len(dates), _BINS), np.int32)
            self.counts[name][rows] = counts
        self.dates = dates

    def _add_symbol(self, bars: SymbolBars, rows: npt.NDArray[np.intp]) -> None:
        with np.errstate(all="ignore"):
            inputs = Inputs(bars, self.layout)
            volatility = np.sqrt(inputs.variance)
            ranked = inputs.ranked_quantities
        moved, varied = np.isfinite(inputs.returns), np.isfinite(volatility)
        returns = np.where(moved, inputs.returns, 0.0)
        # A symbol's dates are unique, so indexed addition counts every row.
        own: slice | npt.NDArray[np.intp] = rows if len(rows) < len(self.dates) else slice(None)
        self.sums["symbols"][own] += 1.0
        self.sums["returns"][own] += moved
        self.sums["return"][own] += returns
        self.sums["return_squared"][own] += returns**2
        self.sums["rising"][own] += returns > 0.0
        self.sums["variances"][own] += varied
        self.sums["volatility"][own] += np.where(varied, volatility, 0.0)
        values = np.stack(list(ranked.values()))  # (Q, N)
        known = ~np.isnan(values)
        clipped = np.minimum(np.maximum(np.where(known, values, 0.0), -RANK_LIMIT), RANK_LIMIT)
        bins = (clipped + RANK_LIMIT) * (_BINS / (2.0 * RANK_LIMIT))
        flat = rows * _BINS + np.minimum(bins.astype(np.int64), _BINS - 1)
        for name, positions, is_known in zip(ranked, flat, known, strict=True):
            self.counts[name].reshape(-1)[positions[is_known]] += 1

    def table(self, lag: int, calendars: tuple[str, ...]) -> UniverseTable:
        rows = np.flatnonzero(self.sums["symbols"] >= MIN_SYMBOLS)
        sums = {name: values[rows] for name, values in self.sums.items()}
        enough = sums["returns"] >= MIN_SYMBOLS
        n = np.where(enough, sums["returns"], np.nan)
        mean = sums["return"] / n
        spread = np.sqrt(np.maximum(sums["return_squared"] / n - mean**2, 0.0))
        volatilities = np.where(sums["variances"] >= MIN_SYMBOLS, sums["variances"], np.nan)
        return UniverseTable(
            periods=self.layout.periods,
            members=self.members,
            lag=lag,
            calendars=calendars,
            dates=self.dates[rows],
            count=sums["symbols"].astype(np.int32),
            log_index=np.cumsum(np.where(enough, mean, 0.0)),
            dispersion=spread,
            breadth=sums["rising"] / n,
            volatility=sums["volatility"] / volatilities,
            quantiles={name: _quantiles(counts, rows) for name, counts in self.counts.items()},
        )


def _quantiles(counts: npt.NDArray[np.int32], rows: npt.NDArray[np.intp]) -> Float32:
    """Return evenly spaced quantiles of each row's histogram, linear within a bin, shape (rows, QUANTILES)."""
    out = np.empty((len(rows), QUANTILES), np.float32)
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        density = counts[block]
        cumulative = np.cumsum(density, axis=1)
        total = cumulative[:, -1:]
        row = np.arange(len(block))[:, None]
        # The tiny offset puts level 0 at the lower edge of the first non-empty bin, not of the histogram.
        target = np.maximum(np.linspace(0.0, 1.0, QUANTILES), 1e-9) * total
        # Each row's counts are shifted above those of the row before, so that one search finds the bins of all rows.
        shift = row * (int(total.max(initial=0)) + 1)
        found = np.searchsorted((cumulative + shift).ravel(), (np.ceil(target).astype(np.int64) + shift).ravel())
        index = np.minimum(found.reshape(target.shape) - row * _BINS, _BINS - 1)
        mass = np.maximum(density[row, index], 1)
        inside = (target - (cumulative[row, index] - density[row, index])) / mass
        edge = (index + inside) * (2.0 * RANK_LIMIT / _BINS) - RANK_LIMIT
        out[start : start + len(block)] = np.where(total >= MIN_SYMBOLS, edge, np.nan)
    return out
