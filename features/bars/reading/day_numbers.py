"""Day numbers: the days since the zero of Excel, Unix, SAS or MATLAB, distinguished by weekends and plausible years."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from features.bars.arrays import Dates

# In order of preference; each zero is the day with the number 0.
_EXCEL = "Excel's day numbers"
_ZEROS = {
    _EXCEL: np.datetime64("1899-12-30", "ns"),
    "days since 1970": np.datetime64("1970-01-01", "ns"),
    "days since 1960": np.datetime64("1960-01-01", "ns"),
    "Excel's day numbers since 1904": np.datetime64("1904-01-01", "ns"),
}
_MARGIN = 0.1  # of the bars: fewer on weekends show that another zero is meant
_FEWEST, _DAILY = 10, 0.5  # bars; weekly bars may all be dated on Saturdays
_FIRST, _CLOCKLESS = np.datetime64("1927-01-01"), np.datetime64("1995-01-01")
_DAY_S = 86_400


def dates_of_day_numbers(numbers: npt.NDArray[np.generic]) -> tuple[Dates, str]:
    """Return ``datetime64[ns]`` (N,) of day numbers with a time of day as fraction, and what they are, in words.

    Excel's, unless that puts bars on weekends, or around the clock into years before there were such markets, and
    another zero does not.
    """
    seconds = np.round(numbers.astype(np.float64) * _DAY_S).astype(np.int64).astype("timedelta64[s]")
    shares = {}
    for name, zero in _ZEROS.items():
        days = np.unique((zero + seconds).astype("datetime64[D]"))
        weekends = float(np.mean(~np.is_busday(days)))
        impossible = days[0] < _FIRST or days[-1] > np.datetime64("today", "D") + 1
        every_day = weekends > _MARGIN and np.median(np.diff(days).astype(np.int64)) == 1
        shares[name] = weekends + 1.0 * impossible + 0.5 * (every_day and days[-1] < _CLOCKLESS)
        if name == _EXCEL and (len(days) < _FEWEST or not _MARGIN < weekends < _DAILY):
            break
    best = min(shares, key=lambda name: shares[name])
    name = best if shares[best] < shares[_EXCEL] - _MARGIN else _EXCEL
    return _ZEROS[name] + seconds, name
