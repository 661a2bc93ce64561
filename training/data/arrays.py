"""The fitted state of a predictor: plain arrays under names with parts, as ``scaler/center``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

Arrays = dict[str, npt.NDArray[Any]]
Stored = Mapping[str, npt.NDArray[Any]]
Float = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]
T = TypeVar("T", bound=np.generic)


def prefixed(prefix: str, arrays: Mapping[str, npt.NDArray[Any]]) -> Arrays:
    """Return arrays under ``prefix/``."""
    return {f"{prefix}/{key}": value for key, value in arrays.items()}


def part_of(arrays: Mapping[str, npt.NDArray[Any]], prefix: str) -> Arrays:
    """Return the arrays under ``prefix/``, without it."""
    return {key.removeprefix(f"{prefix}/"): value for key, value in arrays.items() if key.startswith(f"{prefix}/")}


def position_in_group(group: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return each element's position (n,) among those of its group (n,), in order."""
    counts = np.bincount(group)
    out = np.empty(len(group), np.int64)
    out[np.argsort(group, kind="stable")] = np.arange(len(group)) - np.repeat(np.cumsum(counts) - counts, counts)
    return out


def rows_by_time(symbol: npt.NDArray[np.int64]) -> list[npt.NDArray[np.int64]]:
    """Return, for each t, the rows that are their symbol's t-th; ``symbol`` (n,) is each row's."""
    time = position_in_group(symbol)
    return np.split(np.argsort(time, kind="stable"), np.cumsum(np.bincount(time))[:-1]) if len(time) else []


def take_rows(values: npt.NDArray[T], rows: npt.NDArray[np.int64]) -> npt.NDArray[T]:
    """Return the rows of these symbols of an array (S, …); one that all symbols share (1, …) is returned as it is."""
    return values if len(values) == 1 else values[rows]


def row_index(rows: int, symbols: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return each symbol's row, of the shape of ``symbols``, in what has one row that all share, or a row for each."""
    return symbols if rows > 1 else np.zeros_like(symbols)
