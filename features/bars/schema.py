"""One symbol's bars as arrays, and how they are made from a data frame."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from configs.reading import ReadingConfig
from configs.words import counted
from features.bars.arrays import Dates, Float, Mask
from features.bars.columns import choose_columns
from features.bars.quarantine import Quarantine
from features.bars.reading.instruments import refuse_merged
from features.bars.reading.memory import release
from features.bars.reading.parsed import parse_table
from features.bars.validation import check


@dataclass(frozen=True, slots=True)
class SymbolBars:
    """One symbol's valid bars: sorted by date, unique, adjusted for splits and dividends, prices > 0.

    ``dates`` (N,) is ``datetime64[ns]``: midnight for sessions, UTC for intraday bars. Prices and volume are float64
    (N,). A close-only series has ``open = high = low = close`` and ``has_range`` false; a series without volume has
    zeros and ``has_volume`` false.

    ``splits`` (N,) has the new shares per old share of splits that the source names for a bar, and 1.0 for the other
    bars; it is None if none are named. Prices may or may not be adjusted for them:
    :func:`features.bars.mending.mend` finds out, and its bars have none.
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
    splits: Float | None = None

    def __len__(self) -> int:
        return len(self.dates)

    @property
    def is_constant(self) -> bool:
        """Whether all closes are equal, but for rounding."""
        return bool(np.ptp(self.close) <= 1e-9 * self.close[0])

    @property
    def split_rows(self) -> list[int]:
        """The bars for which the source names a split."""
        return [] if self.splits is None else np.flatnonzero(self.splits != 1.0).tolist()

    def ratio_at(self, row: int) -> float:
        """Return new shares per old share at a bar, 1.0 for no split."""
        return 1.0 if self.splits is None else float(self.splits[row])

    def first(self, count: int) -> SymbolBars:
        """Return the first ``count`` bars."""
        return self.take(slice(count)) if count < len(self) else self

    def last(self, count: int) -> SymbolBars:
        """Return the last ``count`` bars as copies, so that the memory of the others can be freed."""
        return self.take(slice(-count, None)) if count < len(self) else self

    def take(self, rows: slice | Mask) -> SymbolBars:
        """Return the bars of these rows as copies."""
        prices = {name: getattr(self, name)[rows].copy() for name in ("open", "high", "low", "close")}
        splits = None if self.splits is None else self.splits[rows].copy()
        return replace(self, dates=self.dates[rows].copy(), volume=self.volume[rows].copy(), splits=splits, **prices)


@dataclass(frozen=True, slots=True)
class ReadBars:
    """The valid bars of each symbol, sorted by symbol; the rows that break a rule; how the table was read, in lines."""

    bars: list[SymbolBars]
    quarantine: Quarantine
    lines: tuple[str, ...]


def read_frame(
    frame: pd.DataFrame,
    symbol: str | None = None,
    *,
    place: str = "the frame",
    default_symbol: str | None = None,
    reading: ReadingConfig | None = None,
    delimiter: str | None = None,
) -> ReadBars:
    """Return the bars of a frame; see :func:`bars_from_frame`.

    Parameters
    ----------
    reading
        What the content cannot decide.
    delimiter
        Of the text file that the frame was read from: evidence for the decimal mark.
    """
    columns = choose_columns(frame, symbol, place, default_symbol=default_symbol, reading=reading)
    release(len(frame))
    parsed = parse_table(columns, place, reading, delimiter)
    checked, quarantine = check(parsed, place)
    refuse_merged(columns, parsed, quarantine, frame, place)
    bars = []
    for i, name in enumerate(checked.names):
        rows = slice(int(checked.offsets[i]), int(checked.offsets[i + 1]))
        prices = {field: values[rows] for field, values in checked.prices.items()}
        bars.append(
            SymbolBars(
                symbol=name,
                dates=checked.dates[rows],
                **prices,
                volume=checked.volume[rows],
                has_range=bool(checked.has_range[i]),
                has_volume=bool(checked.has_volume[i]),
                splits=_any(checked.splits, rows),
            )
        )
    return ReadBars(bars, quarantine, (*parsed.lines, *_assumed(bars)))


def bars_from_frame(
    frame: pd.DataFrame,
    symbol: str | None = None,
    *,
    place: str = "the frame",
    default_symbol: str | None = None,
    reading: ReadingConfig | None = None,
) -> tuple[list[SymbolBars], Quarantine]:
    """Return the valid bars of each symbol, sorted by symbol, and the rows that break a rule.

    Parameters
    ----------
    frame
        Bars in any common notation: long with a symbol column, one symbol, yfinance's two-level columns, or a matrix of
        closes; see :mod:`features.bars.reading` for what is read. Rows need not be sorted.
    symbol, place, default_symbol
        As for :func:`features.bars.columns.choose_columns`.
    reading
        What the content cannot decide, such as ``ReadingConfig(decimal=",")`` where a message names ``--decimal ,``.

    Returns
    -------
    list of SymbolBars, Quarantine
        A symbol without a valid row is only in the quarantine.

    Raises
    ------
    DataError
        No rows, a missing column, no readable date, an invalid symbol, or no valid row; or two readings fit.

    Examples
    --------
    >>> frame = pd.DataFrame({"Date": ["2024-01-03", "2024-01-02"], "Close": ["1,010.5", "1000"]})
    >>> bars, quarantine = bars_from_frame(frame, symbol="X")
    >>> bars[0].close.tolist(), len(quarantine)
    ([1000.0, 1010.5], 0)
    """
    found = read_frame(frame, symbol, place=place, default_symbol=default_symbol, reading=reading)
    return found.bars, found.quarantine


def _assumed(bars: list[SymbolBars]) -> list[str]:
    """Return in lines what stands for values that the table does not have."""
    lines = []
    for count, text in (
        (sum(not one.has_range for one in bars), "no open, high and low: the close stands for them"),
        (sum(not one.has_volume for one in bars), "no volume: features of volume are left out"),
    ):
        if count:
            lines.append(text if count == len(bars) else f"{text} ({count:,} of {counted(len(bars), 'symbol')})")
    return lines


def _any(splits: Float | None, rows: slice) -> Float | None:
    return splits[rows].copy() if splits is not None and (splits[rows] != 1.0).any() else None
