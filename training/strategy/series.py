"""Causal operations on matrices (D, S) of dates and symbols whose symbols do not have a bar on every date."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


def over_own_bars(compute: Callable[[Float], Float], values: Float, has_bar: Mask) -> Float:
    """Return ``compute`` of each symbol's series over the dates on which it has a bar (D, S); NaN elsewhere.

    ``compute`` maps (N,) to (N,), and its row t must depend on rows ≤ t only.
    """
    out = np.full(values.shape, np.nan)
    for s in range(values.shape[1]):
        rows = np.flatnonzero(has_bar[:, s])
        out[rows, s] = compute(np.ascontiguousarray(values[rows, s]))
    return out


def last_row(known: Mask) -> Ints:
    """Return the row of the newest True of each symbol up to each date (D, S); −1 before the first."""
    rows = np.where(known, np.arange(len(known))[:, None], -1)
    return np.asarray(np.maximum.accumulate(rows, axis=0), dtype=np.int64)


def at_rows(values: Float, rows: Ints) -> Float:
    """Return ``values`` (D, S) at rows (D, S); NaN where the row is −1."""
    found = np.take_along_axis(values, np.maximum(rows, 0), axis=0)
    return np.where(rows >= 0, found, np.nan)


def bars_since(rows: Ints, has_bar: Mask) -> Ints:
    """Return how many bars of the symbol came after these rows (D, S), up to each date; −1 where the row is −1."""
    count = np.cumsum(has_bar, axis=0, dtype=np.int64)
    return np.where(rows >= 0, count - np.take_along_axis(count, np.maximum(rows, 0), axis=0), -1)


def bars_since_move(returns: Float) -> Float:
    """Return the bars (N,) since the price last moved: 0 at a move, and counted from the first bar before any."""
    place = np.arange(len(returns))
    moved = np.where(np.isfinite(returns) & (returns != 0.0), place, -1)
    return (place - np.maximum.accumulate(moved)).astype(np.float64)


def sums_by_row(values: Float, row: Ints, rows: int) -> Float:
    """Return the sum of values (D, S) that belong to each row (rows,); values that are NaN or of row −1 are left out.

    Values are added in order of date, so sums of early rows do not depend on later dates.
    """
    used = (row >= 0) & np.isfinite(values)
    return np.asarray(np.bincount(row[used], weights=values[used], minlength=rows)[:rows], dtype=np.float64)
