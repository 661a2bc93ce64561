"""Fallback lags of well-known series that come without publication times.

A file of today's values has no vintages: its past values were revised after they were first published. With a lag from
this table they are used no earlier than they were published, but they remain *revised values*, and are labelled so.
"""

from __future__ import annotations

import re

REVISED = "revised values"

_DAYS = {
    1: "VIX ^VIX VIXCLS VIX_open VIX_high VIX_low VIX_close VIX9D VIX3M VIX6M VXN "
    "WTI WTI_DAILY DCOILWTICO BRENT_DAILY DCOILBRENTEU T10Y2Y T10Y3M DPCREDIT",
    2: "WALCL",
    6: "ICSA",
    7: "STLFSI STLFSI4",
    33: "FEDFUNDS UMCSENT TB3MS GS10 AAA BAA",
    40: "PAYEMS UNRATE",
    60: "CPIAUCSL CPIAUCNS CPILFESL CPILFENS CPI",
    65: "PCE PCEPI PCEPILFE",
    125: "GDP GDPC1 GDPDEF",
}
_BY_NAME = {name: days for days, names in _DAYS.items() for name in names.split()}
_YIELD = re.compile(r"DGS\d+(MO)?|UST_\d+(month|year)")
_YIELD_DAYS = 1


def fallback_lag(series: str) -> int | None:
    """Return the days from a value's date to the first bar that may use it, or None for a series not in the table.

    The date of a monthly or quarterly value is the first day of its period, of a weekly one its last. Daily closes of
    options and futures markets (VIX, WTI) end after the stock market's close, so that they count from the next day on.

    Examples
    --------
    >>> fallback_lag("CPIAUCSL"), fallback_lag("DGS10"), fallback_lag("MY_SERIES")
    (60, 1, None)
    """
    return _YIELD_DAYS if _YIELD.fullmatch(series) else _BY_NAME.get(series)
