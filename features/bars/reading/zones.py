"""Time zones as files name them: offsets, abbreviations, and IANA names."""

from __future__ import annotations

from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from configs.errors import DataError
from features.bars.arrays import Dates

_HOURS = {"Z": 0, "UTC": 0, "GMT": 0, "EST": -5, "EDT": -4, "CDT": -5, "MDT": -6, "PST": -8, "PDT": -7, "WET": 0}
_HOURS |= {"CET": 1, "CEST": 2, "MEZ": 1, "MESZ": 2, "EET": 2, "EEST": 3, "MSK": 3, "JST": 9, "KST": 9, "HKT": 8}
_HOURS |= {"SGT": 8, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13, "BRT": -3, "WEST": 1}
_NAMES = {"ET": "America/New_York", "CT": "America/Chicago", "PT": "America/Los_Angeles"}


def offset_of(zone: str, walls: Dates) -> npt.NDArray[np.timedelta64]:
    """Return local time minus UTC (N,) of a zone as it is written; NaT where that is not known."""
    if zone in _HOURS:
        return np.full(len(walls), np.timedelta64(_HOURS[zone], "h"))
    if zone[0] in "+-":
        digits = zone[1:].replace(":", "").ljust(4, "0")
        minutes = int(digits[:2]) * 60 + int(digits[2:])
        return np.full(len(walls), np.timedelta64(-minutes if zone[0] == "-" else minutes, "m"))
    try:
        return walls - to_utc(walls, _NAMES.get(zone, zone))
    except DataError:
        return np.full(len(walls), np.timedelta64("NaT"), "timedelta64[ns]")


def to_utc(walls: Dates, zone: str) -> Dates:
    """Return the instants of local times of a zone; NaT for one that occurs twice or never.

    Raises
    ------
    DataError
        There is no such zone.
    """
    index = pd.DatetimeIndex(walls).tz_localize(known_zone(zone), ambiguous="NaT", nonexistent="NaT")
    return index.tz_convert("UTC").tz_localize(None).to_numpy("datetime64[ns]")


@lru_cache(maxsize=64)
def known_zone(name: str) -> ZoneInfo:
    """Return a time zone by its IANA name.

    Raises
    ------
    DataError
        There is no such zone.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise DataError(f"time zone {name!r} is unknown; expected a name such as Europe/Berlin or UTC.") from error
