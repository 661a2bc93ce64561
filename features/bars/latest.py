"""The latest date that a bar can have."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

_EASTERNMOST = np.timedelta64(14, "h")  # UTC+14, where a day begins first


def latest_date(now: datetime) -> np.datetime64:
    """Return the latest date or time of a bar that can exist at ``now`` (aware), ``datetime64[ns]``.

    Bars without a zone may be in local time, so it is the local time of the zone that is furthest ahead. A daily bar
    has the date of its session: that of tomorrow can exist only if tomorrow has begun somewhere.
    """
    return np.datetime64(now.astimezone(UTC).replace(tzinfo=None), "ns") + _EASTERNMOST
