"""Forecasts of a predictor that a user wrote, brought to the index of our own: ``(symbol, date)``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from configs.errors import DataError, ModelError, shortened
from features.any_bars import AnyBars, read_bars
from features.bars.columns import long_table
from features.bars.reading.session_dates import parse_dates

_EXPECTED = "expected a data frame or a series with a row per bar, indexed by (symbol, date), by date, or as the bars"


def aligned(found: Any, bars: AnyBars, name: str, symbol: str | None = None) -> pd.DataFrame:
    """Return what ``predict`` of the class ``name`` returned for these bars, indexed by ``(symbol, date)``.

    Raises
    ------
    ModelError
        It is no table with a row per bar.
    """
    if isinstance(found, np.ndarray) and found.ndim == 1 and isinstance(bars, pd.DataFrame) and len(found) == len(bars):
        found = pd.Series(found, index=bars.index)
    if isinstance(found, pd.Series):
        found = found.to_frame("forecast" if found.name is None else found.name)
    if not isinstance(found, pd.DataFrame):
        raise ModelError(f"{name}.predict returned a {type(found).__name__}; {_EXPECTED}.")
    out = pd.DataFrame(found).set_axis(_index(found.index, bars, name, symbol), axis=0)
    if out.index.has_duplicates:
        raise ModelError(
            f"{name}.predict returned several rows of {out.index[out.index.duplicated()][0]}; {_EXPECTED}."
        )
    return out


def _index(index: pd.Index, bars: AnyBars, name: str, symbol: str | None) -> pd.MultiIndex:
    levels = [index.get_level_values(level) for level in range(index.nlevels)]
    dates = [i for i, level in enumerate(levels) if level.dtype.kind == "M"]
    if len(levels) == 2 and len(dates) == 1:
        days, names = pd.Series(levels[dates[0]]), np.asarray(levels[1 - dates[0]].astype(str), dtype=object)
    elif len(levels) == 1 and dates:
        symbols = [one.symbol for one in read_bars(bars, symbol)[0]]
        if len(symbols) > 1:
            raise ModelError(
                f"{name}.predict returned dates without symbols for {len(symbols)} symbols ({shortened(symbols)}); "
                f"{_EXPECTED}."
            )
        days, names = pd.Series(levels[0]), np.full(len(index), symbols[0], dtype=object)
    elif isinstance(bars, pd.DataFrame) and index.equals(bars.index):
        try:
            table = long_table(bars, symbol, default_symbol="SYMBOL")
        except DataError as error:
            raise ModelError(f"{name}.predict returned the index of bars without dates: {error}") from error
        if len(table) != len(index):
            raise ModelError(f"{name}.predict returned {len(index)} rows for {len(table)} bars; {_EXPECTED}.")
        days, names = table["date"], np.asarray(table["symbol"].astype(str), dtype=object)
    else:
        raise ModelError(f"{name}.predict returned rows indexed by {index.dtype}; {_EXPECTED}.")
    return pd.MultiIndex.from_arrays([names, parse_dates(days)], names=["symbol", "date"])
