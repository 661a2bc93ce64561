"""From a frame of features, scikit-learn's X, to the panel of a fit; it has no prices, nor what is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from configs.errors import DataError, shortened
from features.bars.period import bar_period
from features.bars.reading.names import field_of
from features.bars.reading.session_dates import parse_dates
from features.engineered import origin_of
from features.panel import Panel
from training.data.arrays import Float, Float32

_ADVICE = "Give those of FeatureEngineer().engineer_features(bars)"


def is_features(frame: Any, names: Sequence[str]) -> bool:
    """Return whether this is a frame with all of these features, not of bars."""
    if not isinstance(frame, pd.DataFrame) or not names or isinstance(frame.columns, pd.MultiIndex):
        return False
    return set(names) <= set(frame.columns)


def looks_like_features(frame: Any) -> bool:
    """Return whether this is a frame without a close, such as a model's features of another configuration."""
    if not isinstance(frame, pd.DataFrame) or isinstance(frame.columns, pd.MultiIndex) or not len(frame.columns):
        return False
    return origin_of(frame) is not None or {field_of(name) for name in frame.columns}.isdisjoint({"close", "adj_close"})


def refuse_unlabelled(frame: Any) -> None:
    """Raise ``DataError`` if this is a frame of features: to be fitted it needs labels."""
    if looks_like_features(frame):
        raise DataError(
            f"a frame with the columns {shortened(list(map(str, frame.columns)))} is given, which has no close: "
            "features need labels, fit(features, target), and bars a close."
        )


def panel_of_features(frame: Any, names: Sequence[str] | None = None, symbol: str | None = None) -> Panel:
    """Return the panel of a frame of features; its prices are NaN.

    Parameters
    ----------
    frame
        Numbers, one column per feature, one row per bar, indexed by date or by ``(symbol, date)``; each symbol's rows
        in order of time. NaN is a missing value.
    names
        The columns to use, in this order; all by default.
    symbol
        The symbol of a frame that names none.

    Raises
    ------
    DataError
        The frame has no dates, rows are out of order or repeated, or a column has no numbers.
    """
    if not isinstance(frame, pd.DataFrame):
        raise DataError(
            f"features are a {type(frame).__name__}; expected a data frame indexed by date: without dates, time cannot "
            f"be split. {_ADVICE}.features."
        )
    if frame.shape[0] == 0 or frame.shape[1] == 0:
        raise DataError(f"features have shape {frame.shape}; expected rows and columns. {_ADVICE}.features.")
    if not frame.columns.is_unique:
        raise DataError(f"features have the column {frame.columns[frame.columns.duplicated()][0]!r} twice.")
    dates, codes, symbols = frame_rows(frame, symbol)
    values = _numbers(frame, list(frame.columns if names is None else names))
    order = np.argsort(codes, kind="stable")
    dates, codes, values = dates[order], codes[order], values[order]
    step = np.diff(dates) <= np.timedelta64(0)
    if (wrong := np.flatnonzero(step & (np.diff(codes) == 0))).size:
        name, first = symbols[codes[wrong[0]]], dates[wrong[0] + 1].astype("datetime64[D]")
        raise DataError(
            f"the features of {name} are not in order of time: the row of {first} comes after a later one, or twice. "
            "Give them as they follow each other: sort_index(), and split by time, not at random."
        )
    offsets = np.searchsorted(codes, np.arange(len(symbols) + 1)).astype(np.int64)
    origin = origin_of(frame)
    missing = np.full(len(dates), np.nan)
    return Panel(
        symbols=tuple(symbols),
        feature_names=tuple(map(str, frame.columns if names is None else names)),
        offsets=offsets,
        dates=dates,
        features=values,
        close=missing,
        variance=missing,
        ewma_vol=missing,
        periods=tuple(bar_period(dates[start:stop]) for start, stop in pairwise(offsets)),
        warmup=_warmup(values, offsets),
        universe=None if origin is None else origin.universe,
    )


def frame_rows(frame: pd.DataFrame, symbol: str | None) -> tuple[npt.NDArray[np.datetime64], Any, list[str]]:
    """Return each row's date (n,), its symbol's position (n,), and the symbols in order of their first row."""
    index = frame.index
    levels = [index.get_level_values(level) for level in range(index.nlevels)]
    date = next((i for i, level in enumerate(levels) if level.dtype.kind == "M"), None)
    if date is None:
        date = next((i for i, level in enumerate(levels) if field_of(level.name) == "date"), None)
    if date is None or len(levels) > 2:
        raise DataError(
            f"features are indexed by {index.dtype}; expected dates, or (symbol, date): without dates, time cannot be "
            f"split. {_ADVICE}.features, or set_index() the dates."
        )
    dates = parse_dates(pd.Series(levels[date]), "the index of the features")
    if np.isnat(dates).any():
        raise DataError(f"{int(np.isnat(dates).sum())} rows of the features have no date in their index. Drop them.")
    if len(levels) == 1:
        origin = origin_of(frame)
        return dates, np.zeros(len(dates), np.int64), [symbol or (origin.symbol if origin else "SYMBOL")]
    codes, found = pd.factorize(np.asarray(levels[1 - date], dtype=object))
    return dates, codes, [str(name) for name in found]


def _numbers(frame: pd.DataFrame, names: Sequence[Any]) -> Float32:
    for name in names:
        dtype = frame[name].dtype
        if not pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype):
            raise DataError(f"the feature {name!r} is of type {dtype}; expected numbers. Encode it, or leave it out.")
    values: Float = frame[list(names)].to_numpy(np.float64, na_value=np.nan)
    if np.isinf(values).any():
        column = names[int(np.flatnonzero(np.isinf(values).any(axis=0))[0])]
        raise DataError(f"the feature {column!r} is infinite in some rows; expected numbers, or NaN where missing.")
    return np.ascontiguousarray(values, dtype=np.float32)


def _warmup(values: Float32, offsets: npt.NDArray[np.int64]) -> int:
    """Return the leading rows in which some feature is not known yet; those mostly missing do not count."""
    first = 0
    for start, stop in pairwise(offsets):
        known = ~np.isnan(values[start:stop])
        usual = known.mean(axis=0) > 0.5
        if usual.any():
            first = max(first, int(known[:, usual].argmax(axis=0).max()))
    return first
