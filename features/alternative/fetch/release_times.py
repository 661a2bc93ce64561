"""When the values of a release became known: its usual time of day, or else the end of the day.

Times are those of the agencies' schedules (BLS, BEA, Census, Department of Labor: 08:30 in New York; Federal Reserve:
14:00 after meetings, 16:30 for H.4.1; University of Michigan: 10:00). ALFRED gives the day only. A release that is not
listed, or that is older than its time of day, counts from midnight in Chicago, where FRED's days end.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

_NEW_YORK, _CHICAGO = "America/New_York", "America/Chicago"
_SINCE = "1995-01-01"  # earlier embargoes ended at other times
_TIMES = {
    "consumer price index": ("08:30", _SINCE),
    "employment situation": ("08:30", _SINCE),
    "producer price index": ("08:30", _SINCE),
    "gross domestic product": ("08:30", _SINCE),
    "personal income and outlays": ("08:30", _SINCE),
    "advance monthly sales for retail": ("08:30", _SINCE),
    "new residential construction": ("08:30", _SINCE),
    "unemployment insurance weekly claims": ("08:30", _SINCE),
    "g.17 industrial production": ("09:15", _SINCE),
    "surveys of consumers": ("10:00", _SINCE),
    "fomc press release": ("14:00", "2013-03-20"),  # 14:15 before, with exceptions
    "h.4.1 factors affecting reserve balances": ("16:30", _SINCE),
}


def known_from(release: str, days: npt.ArrayLike) -> pd.DatetimeIndex:
    """Return the instants in UTC from which values count that a release published on these days, (N,).

    Parameters
    ----------
    release
        FRED's name of the release, such as ``Consumer Price Index``.
    days
        Vintage dates, ``datetime64`` or text, (N,).

    Examples
    --------
    >>> str(known_from("Consumer Price Index", ["2020-02-13"])[0]), str(known_from("Other", ["2020-02-13"])[0])
    ('2020-02-13 13:30:00+00:00', '2020-02-14 06:00:00+00:00')
    """
    dates = pd.DatetimeIndex(np.asarray(days, "datetime64[ns]"))
    ends = (dates + pd.Timedelta(days=1)).tz_localize(_CHICAGO).tz_convert("UTC")
    name = release.strip().lower()
    found = next((times for prefix, times in _TIMES.items() if name.startswith(prefix)), None)
    if found is None:
        return ends
    clock, since = found
    released = (dates + pd.Timedelta(f"{clock}:00")).tz_localize(_NEW_YORK).tz_convert("UTC")
    return pd.DatetimeIndex(released.where(dates >= pd.Timestamp(since), ends))
