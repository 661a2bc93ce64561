"""What several files, or lines that do not fit, make of a symbol's bars."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from configs.errors import DataError
from features.bars.arrays import VALUES
from features.bars.joining import day_twice, joined, unlike_periods
from features.bars.quarantine import COLUMNS, Quarantine
from features.bars.schema import SymbolBars
from features.sources.tables import RawTable


def ragged_rows(table: RawTable, bars: Sequence[SymbolBars]) -> Quarantine:
    """Return the lines with another number of cells than the header."""
    frame = Quarantine.empty().frame.reindex(range(len(table.ragged)))
    symbol = bars[0].symbol if len(bars) == 1 else table.symbol
    given = [text[:60] for text in table.ragged]
    frame = frame.assign(symbol=symbol, rule="ragged_row", given=given)
    return Quarantine(frame.astype({"symbol": "str", "rule": "str", "given": "str", "date": "datetime64[ns]"}))


def join_files(first: SymbolBars, second: SymbolBars, parts: list[Quarantine]) -> SymbolBars:
    """Return the bars of two files; on dates that both have, the second file's rows are quarantined.

    Raises
    ------
    DataError
        Their bars are of different periods, or of one day at different times.
    """
    if (periods := unlike_periods(first, second)) is not None:
        counted = " and ".join(
            f"{period.name} ones ({len(bars):,} from {str(bars.dates[0])[:10]} on)"
            for period, bars in zip(periods, (first, second), strict=True)
        )
        raise DataError(
            f"the files of {first.symbol!r} are of two periods: {counted}. Give those of one period, or call the other "
            f"ones {first.symbol}_{periods[1].name}"
        )
    _, in_first, in_second = np.intersect1d(first.dates, second.dates, assume_unique=True, return_indices=True)
    same = np.ones(len(in_first), bool)
    for name in VALUES:
        same &= getattr(first, name)[in_first] == getattr(second, name)[in_second]
    if len(in_first):
        rows = {name: getattr(second, name)[in_second] for name in VALUES}
        rule = np.where(same, "repeated_row", "duplicate_date")
        dates = second.dates[in_second]
        frame = pd.DataFrame({"symbol": first.symbol, "date": dates, "rule": rule, **rows, "given": ""})
        parts.append(Quarantine(frame[list(COLUMNS)].astype({"symbol": "str", "rule": "str", "given": "str"})))
    both = joined(second, first)
    if times := day_twice(both):
        raise DataError(f"the files of {first.symbol!r} have one day twice ({times}). Give session dates without times")
    return both
