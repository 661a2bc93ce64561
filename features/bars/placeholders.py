"""Placeholders in files: dates that stand for none, and an open of zero where only high, low and close are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.integer[Any]]
Dates = npt.NDArray[np.datetime64]

# Zero of Excel (its two systems and the day that it counts twice), of Unix, of .NET and SQL Server.
_ZEROS = np.array(["1899-12-30", "1899-12-31", "1900-01-01", "1904-01-01", "1970-01-01", "1753-01-01"], "datetime64[D]")
_ISOLATED = np.timedelta64(366, "D")


def placeholder_dates(rows: Codes, codes: Codes, dates: Dates) -> Mask:
    """Return which of ``rows``, sorted by symbol and date, have a placeholder's date: its symbol's first, by years."""
    found = np.isin(dates[rows].astype("datetime64[D]"), _ZEROS)
    if not found.any():
        return found
    first = np.append(True, codes[rows][1:] != codes[rows][:-1])
    later = np.append(dates[rows][1:] - dates[rows][:-1] > _ISOLATED, False)
    followed = np.append(codes[rows][1:] == codes[rows][:-1], False)
    return np.asarray(found & first & later & followed)


def fill_zero_opens(given: dict[str, Float], close_only: Mask, codes: Codes, dates: Dates) -> Mask:
    """Set opens of 0 to the close before, where high, low and close are prices; return the rows (N,).

    The close before is moved into the bar's low … high: the bar counts as one without a gap.
    """
    if "open" not in given:
        return np.zeros(len(codes), bool)
    high, low, close = given["high"], given["low"], given["close"]
    zero = (given["open"] == 0.0) & (high > 0.0) & (low > 0.0) & (close > 0.0) & ~close_only
    if zero.any():
        order = np.lexsort((dates, codes))
        before = np.full(len(codes), np.nan)
        same = codes[order][1:] == codes[order][:-1]
        before[order[1:][same]] = close[order[:-1][same]]
        before = np.where(before > 0.0, before, close)
        given["open"] = np.where(zero, np.clip(before, low, np.maximum(low, high)), given["open"])
    return np.asarray(zero)
