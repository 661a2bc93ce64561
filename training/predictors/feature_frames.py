"""From a frame of features and a series of labels, scikit-learn's X and y, to the panel and examples of a fit.

A frame of features has no prices. What needs them (volatility, and the labels of direction) cannot be made of it: the
labels are those that are given, and their last rows must be unknown, as :class:`features.FeatureEngineer` leaves them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from configs.errors import DataError, shortened
from features.bars.reading.names import field_of
from features.bars.reading.session_dates import parse_dates
from features.engineered import horizon_of, origin_of
from features.labels import CLASSES, UNKNOWN
from features.panel import Panel
from features.splits import Split, SplitRows, split_rows
from training.data.arrays import Float, Float32
from training.data.examples import Examples

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
    dates, codes, symbols = _rows(frame, symbol)
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
        warmup=_warmup(values, offsets),
    )


def examples_of_features(
    frame: Any, target: Any, horizon: int, split: Split, panel: Panel, first_row: int
) -> Examples:  # fmt: skip
    """Return the examples of a panel of features and its labels, purged by ``horizon`` bars; see :func:`labels_of`."""
    labels = labels_of_panel(target, frame, horizon, panel)
    rows = []
    for i, name in enumerate(panel.symbols):
        own = labels[panel.rows(i)]
        known = np.flatnonzero(own != UNKNOWN)
        inner = own[known[0] : known[-1] + 1] if len(known) else own
        if (inner == UNKNOWN).any():
            raise DataError(
                f"the labels of {name} are unknown in {int((inner == UNKNOWN).sum())} rows between known ones; "
                "expected that only at the beginning and in the last rows. Drop these rows from features and labels."
            )
        chosen = split_rows(panel.dates[panel.rows(i)], split, horizon)
        rows.append(SplitRows(*(part[(part >= first_row) & (own[part] != UNKNOWN)] for part in chosen)))
    return Examples(panel, labels.astype(np.float64), tuple(rows))


def labels_of_panel(target: Any, frame: Any, horizon: int, panel: Panel) -> npt.NDArray[np.int64]:
    """Return the labels of a frame's rows in the order of the panel that it made; see :func:`labels_of`."""
    _, codes, symbols = _rows(frame, panel.symbols[0])
    labels = labels_of(target, frame, horizon)[np.argsort(codes, kind="stable")]
    if tuple(symbols) == panel.symbols:
        return labels
    offsets = np.searchsorted(np.sort(codes), np.arange(len(symbols) + 1))
    places = [symbols.index(name) for name in panel.symbols]
    return np.concatenate([labels[offsets[i] : offsets[i + 1]] for i in places])


def labels_of(target: Any, frame: pd.DataFrame, horizon: int) -> npt.NDArray[np.int64]:
    """Return the classes 0, 1, 2 or −1 (unknown) of labels as they are given (n,), in the order of the frame's rows.

    Raises
    ------
    DataError
        Labels of another length, index or horizon, missing ones, or classes that could mean something else.
    """
    if isinstance(target, pd.DataFrame) and target.shape[1] == 1:
        target = target.iloc[:, 0]
    values = np.asarray(target)
    if values.ndim != 1 or len(values) != len(frame):
        given = f"shape {values.shape}" if values.ndim else f"type {type(target).__name__}"
        raise DataError(f"features have {len(frame)} rows and the labels {given}; expected one label per row.")
    if isinstance(target, pd.Series) and not target.index.equals(frame.index):
        raise DataError("features and labels have different indices; expected the same rows in the same order.")
    if (theirs := horizon_of(target)) is not None and theirs != horizon:
        raise DataError(
            f"the labels are of the next {theirs} bars and the model forecasts {horizon}. Give the predictor "
            f"horizon={theirs}, or make the labels with engineer_features(bars, horizon={horizon})."
        )
    if pd.api.types.is_bool_dtype(values.dtype):
        raise DataError("the labels are booleans; expected 0 down, 1 sideways, 2 up, or these names.")
    if missing := int(pd.isna(values).sum()):
        raise DataError(
            f"the labels are missing in {missing} of {len(values)} rows. Drop these rows from features and labels; "
            "engineer_features marks the last ones, whose future is not known, by -1."
        )
    known: set[Any] = set(np.unique(values.astype(str) if values.dtype.kind in "OUT" else values).tolist())
    if known <= set(CLASSES):
        return np.array([CLASSES.index(str(value)) for value in values], np.int64)
    if not known <= {0, 1, 2, UNKNOWN} or not {0, 2} <= known:
        raise DataError(
            f"the labels are {shortened([str(value) for value in sorted(known)])}; expected 0 down, 1 sideways, 2 up "
            f"(-1 unknown), or the names {', '.join(CLASSES)}. Rename them, so that none is mistaken for another."
        )
    return values.astype(np.int64)


def _rows(frame: pd.DataFrame, symbol: str | None) -> tuple[npt.NDArray[np.datetime64], Any, list[str]]:
    """Return each row's date, the position of its symbol, and the symbols in order of their first row."""
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
