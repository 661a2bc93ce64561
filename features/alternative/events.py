"""Features of scheduled events: known in advance, so that they may look ahead to what had been announced."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]
Dates = npt.NDArray[np.datetime64]

_MAX_DAYS = 60.0


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
    upcoming = _nearest_known(known_from, times, position, 1)
    previous = _nearest_known(known_from, times, position - 1, -1)
    found, happened = upcoming >= 0, previous >= 0
    nearest = at[upcoming]
    weekdays = np.busday_count(dates.astype("datetime64[D]") + 1, nearest.astype("datetime64[D]") + 1)
    until = (nearest - times) / np.timedelta64(1, "D")
    for column, values in enumerate((weekdays <= 1, weekdays <= 5, np.minimum(until, _MAX_DAYS))):
        np.copyto(out[:, column], values, where=found)
    since = (times - at[previous]) / np.timedelta64(1, "D")
    np.copyto(out[:, 3], np.minimum(since, _MAX_DAYS), where=happened)
    return out


def _nearest_known(
    known_from: Dates, times: Dates, start: npt.NDArray[np.int64], step: Literal[1, -1]
) -> npt.NDArray[np.int64]:
    """Return for each bar the first position from ``start`` on that had been announced by then, or −1, (N,)."""
    one_way = known_from[::-step]
    earliest = np.minimum.accumulate(one_way)[::-step]  # of all positions from each one on
    place, out = start.copy(), np.full(len(times), -1, np.int64)
    left = np.flatnonzero((place >= 0) & (place < len(known_from)))
    left = left[earliest[place[left]] <= times[left]]  # one is known: the walk ends within bounds
    while len(left):
        is_known = known_from[place[left]] <= times[left]
        out[left[is_known]] = place[left[is_known]]
        left = left[~is_known]
        place[left] += step
    return out
