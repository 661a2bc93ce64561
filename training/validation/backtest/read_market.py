"""From bars in any form to a :class:`Market`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd

from configs.errors import DataError, shortened
from features.any_bars import AnyBars, read_bars
from features.bars.arrays import PRICES
from features.bars.columns import choose_columns
from features.bars.mending import adjusted_for_splits
from features.bars.reading.names import compact, field_of
from features.bars.reading.numbers import parse_numbers
from features.bars.reading.parsed import parse_table
from features.bars.schema import SymbolBars
from training.validation.backtest.market import Dates, Float, Market

_CHUNK = 64  # rows at a time stay in the cache
_TOLERANCE = 1e-4  # larger than the rounding of float32 and of vendors


class _Series(NamedTuple):
    """One symbol's columns: ``dates`` (N,), ``values`` (5, N) of open, high, low, close, volume; ``dividends`` (N,)."""

    dates: Dates
    values: Float
    dividends: Float | None


def read_market(bars: AnyBars | Market, symbol: str | None = None, *, adjusted: bool | None = None) -> Market:
    """Return bars aligned on the sorted union of their dates.

    Parameters
    ----------
    bars
        Frames by symbol as yfinance returns them, one frame (of one symbol, with a symbol column, or with two-level
        columns), or anything else that :func:`features.any_bars.read_bars` reads.
    symbol
        The symbol of bars that name none.
    adjusted
        Whether prices are adjusted for dividends. By default: a frame with ``Adj Close`` and ``Dividends`` (yfinance
        with ``auto_adjust=False, actions=True``) is traded at its own prices and dividends are paid in cash; with
        ``Adj Close`` only, prices are adjusted; without it, they are taken as adjusted and ``Dividends`` is not paid
        again. False pays ``Dividends`` in any case, true in none.

    Raises
    ------
    DataError
        There are no bars, a column is missing, a date cannot be read or occurs twice in a symbol, or a symbol has no
        valid bar. A row with a price that is missing, not above 0 or outside low and high counts as no bar: the symbol
        is not traded there and is valued at its newest close; ``notes`` of the result counts such rows.
    """
    if isinstance(bars, Market):
        return bars
    if isinstance(bars, pd.DataFrame):
        bars = _by_symbol(bars, symbol)
    if isinstance(bars, Mapping) and all(isinstance(one, pd.DataFrame) for one in bars.values()):
        if not bars:
            raise DataError("no bars are given; expected frames by symbol with the columns Open, High, Low and Close.")
        return _align({str(name): _of_frame(frame, str(name), adjusted) for name, frame in bars.items()})
    found, quarantine = read_bars(bars, symbol, default_symbol=symbol or "SYMBOL")
    market = _align({one.symbol: _of_bars(one) for one in found})
    lost = sum(quarantine.lost().values())
    notes = (f"{lost} rows of bars are left out: {quarantine.summary()}",) if lost else ()
    return replace(market, notes=market.notes + notes) if notes else market


def _by_symbol(frame: pd.DataFrame, symbol: str | None) -> dict[str, pd.DataFrame]:
    """Split a frame of many symbols; a frame of one remains as it is."""
    if isinstance(frame.columns, pd.MultiIndex) and frame.columns.nlevels == 2:
        matches = [sum(field_of(v) is not None and len(str(v)) > 1 for v in frame.columns.levels[k]) for k in (0, 1)]
        names = 1 - int(np.argmax(matches))
        tickers = frame.columns.get_level_values(names).unique()
        parts = {str(t): pd.DataFrame(frame.xs(t, axis=1, level=names)).dropna(how="all") for t in tickers}
        return {(symbol if len(parts) == 1 and symbol else name): part for name, part in parts.items()}
    column = next((name for name in frame.columns if field_of(name) == "symbol"), None)
    if column is not None:
        return {str(name): part.drop(columns=column) for name, part in frame.groupby(column, sort=False, observed=True)}
    return {symbol or "SYMBOL": frame}


@lru_cache(maxsize=64)
def _places(columns: tuple[object, ...]) -> tuple[int, ...] | None:
    """Return the positions of open, high, low, close and volume in plain columns, None for any others."""
    fields = [field_of(name) for name in columns]
    wanted = [*PRICES, "volume"]
    extra = {"adj_close", "adj_factor", "date", "time", "symbol"} & {field for field in fields if field}
    if extra or any(fields.count(name) != 1 for name in wanted) or any(compact(str(c)) == "dividends" for c in columns):
        return None
    return tuple(fields.index(name) for name in wanted)


def _of_frame(frame: pd.DataFrame, name: str, adjusted: bool | None) -> _Series:
    index = frame.index
    places = _places(tuple(frame.columns)) if not isinstance(frame.columns, pd.MultiIndex) else None
    if places is not None and isinstance(index, pd.DatetimeIndex) and index.tz is None and len(frame):
        table = frame.to_numpy()
        if table.dtype.kind == "f":
            table = table[:, : len(PRICES) + 1] if places == (0, 1, 2, 3, 4) else table
            return _Series(
                index.to_numpy().astype("datetime64[ns]", copy=False),
                table.T if places == (0, 1, 2, 3, 4) else table.T[list(places)],
                None,
            )
    return _of_any_frame(frame, name, adjusted)


def _of_any_frame(frame: pd.DataFrame, name: str, adjusted: bool | None) -> _Series:
    place = f"bars of {name}"
    if isinstance(frame.columns, pd.MultiIndex):
        frame = next(iter(_by_symbol(frame, name).values()))
    parsed = parse_table(choose_columns(frame, name, place), place)
    dates, numbers = parsed.dates, parsed.given
    close = numbers["close"]
    paid = next((column for column in frame.columns if compact(str(column)) == "dividends"), None)
    raw = ("adj_close" in numbers and paid is not None) if adjusted is None else not adjusted
    factor = numbers["adj_close"] / close if "adj_close" in numbers and not raw else np.ones(len(close))
    prices = [numbers.get(field, close) * factor for field in PRICES]
    # As in `features.bars.validation`: with an adjustment factor, prices contain it already and volume does not.
    basis = numbers["adj_factor"] if "adj_factor" in numbers and "adj_close" not in numbers else factor
    volume = numbers.get("volume", np.zeros(len(close))) / basis
    dividends = None
    if raw and paid is not None:
        dividends = np.nan_to_num(parse_numbers(frame[paid].reset_index(drop=True))[0])
    return _Series(dates, np.stack([*prices, volume]), dividends)


def _of_bars(bars: SymbolBars) -> _Series:
    bars = adjusted_for_splits(bars)
    return _Series(bars.dates, np.stack([bars.open, bars.high, bars.low, bars.close, bars.volume]), None)


def _align(series: Mapping[str, _Series]) -> Market:
    symbols = tuple(series)
    parts = [_checked_dates(name, one) for name, one in series.items()]
    first = parts[0].dates
    same = all(one.dates is first or np.array_equal(one.dates, first) for one in parts)
    dates = first if same else np.unique(np.concatenate([one.dates for one in parts]))
    table = np.empty((5, len(symbols), len(dates))) if same else np.full((5, len(symbols), len(dates)), np.nan)
    dividends = np.zeros((len(dates), len(symbols))) if any(one.dividends is not None for one in parts) else None
    for s, one in enumerate(parts):
        rows = slice(None) if same else np.searchsorted(dates, one.dates)
        table[:, s, rows] = one.values
        if dividends is not None and one.dividends is not None:
            dividends[rows, s] = one.dividends
    open_, high, low, close, volume = (np.ascontiguousarray(one.T) for one in table)
    notes = _remove_invalid(symbols, parts, open_, high, low, close)
    if np.isnan(volume.min()):
        np.nan_to_num(volume, copy=False, nan=0.0)
    if not volume.min() >= 0 or volume.max() == np.inf:
        s = int(np.flatnonzero((volume < 0).any(axis=0) | np.isinf(volume).any(axis=0))[0])
        raise DataError(f"bars of {symbols[s]} have a volume below 0 or without end; expected at least 0. Correct it.")
    return Market(dates, symbols, open_, high, low, close, volume, dividends, notes)


def _checked_dates(name: str, one: _Series) -> _Series:
    dates = one.dates
    if not len(dates):
        raise DataError(f"bars of {name} have no rows; expected bars with Open, High, Low and Close. Leave it out.")
    if np.isnat(dates).any():
        raise DataError(f"bars of {name} have {int(np.isnat(dates).sum())} dates that cannot be read. Correct them.")
    if len(dates) > 1 and not (dates[1:] > dates[:-1]).all():
        order = np.argsort(dates, kind="stable")
        dates = dates[order]
        repeated = dates[1:][dates[1:] == dates[:-1]]
        if len(repeated):
            raise DataError(f"bars of {name} have {str(repeated[0])[:16]} twice; expected each date once. Remove one.")
        return _Series(dates, one.values[:, order], None if one.dividends is None else one.dividends[order])
    return one


def _remove_invalid(
    symbols: Sequence[str], parts: Sequence[_Series], open_: Float, high: Float, low: Float, close: Float
) -> tuple[str, ...]:
    """Set prices of invalid rows to NaN, and return a note if there are any beyond gaps in the calendar."""
    valid = np.empty(close.shape, bool)
    with np.errstate(invalid="ignore"):
        for start in range(0, len(close), _CHUNK):
            o, h, low_, c = (price[start : start + _CHUNK] for price in (open_, high, low, close))
            least = np.minimum(np.minimum(o, c), low_)
            within = (h * (1.0 + _TOLERANCE) >= np.maximum(o, c)) & (low_ <= least * (1.0 + _TOLERANCE))
            np.logical_and(within, (least > 0) & (h < np.inf), out=valid[start : start + _CHUNK])
    if valid.all():
        return ()
    for price in (open_, high, low, close):
        price[~valid] = np.nan
    empty = [symbols[int(s)] for s in np.flatnonzero(valid.sum(axis=0) == 0)]
    if empty:
        raise DataError(
            f"{shortened(empty)} has no valid bar; expected prices above 0 with low ≤ open, close ≤ high. Leave it out."
        )
    lost = np.array([len(one.dates) for one in parts]) - valid.sum(axis=0)
    if not lost.any():
        return ()
    names = [f"{name} {count}" for name, count in zip(symbols, lost, strict=True) if count]
    total = int(lost.sum())
    bars_have, count = ("bar has", "counts") if total == 1 else ("bars have", "count")
    return (
        f"{total:,} {bars_have} a price that is missing, not above 0 or outside low and high, and {count} as none: "
        + shortened(names),
    )
