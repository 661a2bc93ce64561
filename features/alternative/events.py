"""Features of scheduled events: known in advance, so that they may look ahead to what had been announced."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]
Dates = npt.NDArray[np.datetime64]

_MAX_DAYS = 60.0
_LOOK_PAST = 8  # events that had not been announced yet between a bar and the next event that had


def event_features(at: Dates, known_from: Dates, times: Dates, dates: Dates) -> Float:
    """Return for each bar what was known of an event's dates (N, 4): ``EVENT_SUFFIXES``.

    ``next_1`` and ``next_5`` are 1 if the event takes place after the bar and within so many weekdays, else 0;
    ``days_until`` and ``days_since`` count days to the next and from the last event, at most 60. NaN before the first
    announcement, and all but ``days_since`` where no later event had been announced.

    Parameters
    ----------
    at, known_from
        When each event takes place and when that was announced, UTC, (E,).
    times, dates
        When each bar is decided, and its session date, (N,).
    """
    order = np.lexsort((known_from, at))
    at, known_from = at[order], known_from[order]
    out = np.full((len(times), 4), np.nan)
    if not len(at) or not len(times):
        return out
    position = np.searchsorted(at, times, side="right")
    upcoming, found = position.copy(), np.zeros(len(times), np.bool_)
    for _ in range(_LOOK_PAST):
        inside = upcoming < len(at)
        found = inside & (known_from[np.minimum(upcoming, len(at) - 1)] <= times)
        upcoming = np.where(found | ~inside, upcoming, upcoming + 1)
    nearest = at[np.minimum(upcoming, len(at) - 1)]
    weekdays = np.busday_count(dates.astype("datetime64[D]") + 1, nearest.astype("datetime64[D]") + 1)
    until = (nearest - times) / np.timedelta64(1, "D")
    for column, values in enumerate((weekdays <= 1, weekdays <= 5, np.minimum(until, _MAX_DAYS))):
        np.copyto(out[:, column], values, where=found)
    previous = np.maximum(position - 1, 0)
    since = (times - at[previous]) / np.timedelta64(1, "D")
    happened = (position > 0) & (known_from[previous] <= times)
    np.copyto(out[:, 3], np.minimum(since, _MAX_DAYS), where=happened)
    return out
