"""Values that stand for "unknown": zero dates, zero opens, and prices repeated while trading is halted."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from features.bars.arrays import PRICES, Codes, Dates, Float, Mask
from features.bars.quarantine import RULES

_ZERO_DATES = np.array(["1899-12-30", "1899-12-31", "1900-01-01", "1904-01-01", "1970-01-01", "1980-01-01"], "M8[D]")
_YEAR = np.timedelta64(366, "D")
_MIN_ZEROS, _MIN_ZERO_SHARE = 5, 0.01  # fewer opens of 0 are errors, not a vendor's habit
_STALE_BARS = 5


def repair_opens(given: dict[str, Float], codes: Codes, symbols: int) -> Mask:
    """Set opens of 0 to the close where a symbol has many and the other prices are good; return these rows."""
    none = np.zeros(len(codes), bool)
    if not {"open", "high", "low"} <= set(given) or not (given["open"] == 0).any():
        return none
    with np.errstate(invalid="ignore"):
        good = (given["high"] > 0) & (given["low"] > 0) & (given["close"] > 0)
    zero = (given["open"] == 0) & good
    zeros, bars = np.bincount(codes[zero], minlength=symbols), np.bincount(codes, minlength=symbols)
    rows = zero & ((zeros >= _MIN_ZEROS) & (zeros >= _MIN_ZERO_SHARE * bars))[codes]
    given["open"] = np.where(rows, given["close"], given["open"])
    return np.asarray(rows)


def without_placeholders(rows: Codes, codes: Codes, dates: Dates, broken: npt.NDArray[np.int8]) -> Codes:
    """Drop sorted rows with a vendor's zero date that the symbol's other bars are more than a year after."""
    if not np.isin(dates[rows].astype("datetime64[D]"), _ZERO_DATES).any():
        return rows
    for _ in _ZERO_DATES:
        zero = np.isin(dates[rows].astype("datetime64[D]"), _ZERO_DATES)
        following = np.append(dates[rows][1:] - dates[rows][:-1] > _YEAR, False)
        same = np.append(codes[rows][1:] == codes[rows][:-1], False)
        drop = zero & following & same
        if not drop.any():
            break
        broken[rows[drop]] = tuple(RULES).index("placeholder_date")
        rows = rows[~drop]
    return rows


def stale(prices: dict[str, Float], volume: Float, offsets: npt.NDArray[np.int64], has_volume: Mask) -> Mask:
    """Return the valid, sorted bars that belong to a run of bars without volume and without a move."""
    flat = volume == 0
    for name in PRICES:
        flat[1:] &= prices[name][1:] == prices["close"][:-1]
    flat[offsets[:-1]] = False
    flat &= np.repeat(has_volume, np.diff(offsets))
    edges = np.flatnonzero(np.diff(flat.astype(np.int8), prepend=0, append=0))
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        flat[first:last] = last - first >= _STALE_BARS
    return np.asarray(flat)
