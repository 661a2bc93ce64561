"""Placeholders in files: dates that stand for none, and opens of 0 where only high, low and close are known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from features.bars.arrays import Codes, Dates, Float, Mask
from features.bars.quarantine import RULES

# Zero of Excel (its two systems and the day that it counts twice), Unix, DOS, .NET and SQL Server.
_ZERO_DATES = np.array(
    ["1753-01-01", "1899-12-30", "1899-12-31", "1900-01-01", "1904-01-01", "1970-01-01", "1980-01-01"], "M8[D]"
)
_YEAR = np.timedelta64(366, "D")


def repair_opens(given: dict[str, Float], close_only: Mask, codes: Codes, dates: Dates) -> Mask:
    """Set opens of 0 to the close before, where high, low and close are prices; return these rows (N,).

    The close before is moved into the bar's low … high: the bar counts as one without a gap.
    """
    if "open" not in given or not (given["open"] == 0.0).any():
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


def without_placeholders(rows: Codes, codes: Codes, dates: Dates, broken: npt.NDArray[np.int8]) -> Codes:
    """Drop sorted rows with a vendor's zero date: a symbol's first, if its other bars are more than a year later."""
    for _ in _ZERO_DATES:
        zero = np.isin(dates[rows].astype("datetime64[D]"), _ZERO_DATES)
        if not zero.any():
            break
        same = codes[rows][1:] == codes[rows][:-1]
        is_first, following = np.append(True, ~same), np.append(dates[rows][1:] - dates[rows][:-1] > _YEAR, False)
        drop = zero & is_first & following & np.append(same, False)
        if not drop.any():
            break
        broken[rows[drop]] = tuple(RULES).index("placeholder_date")
        rows = rows[~drop]
    return rows
