"""Features of one series per vintage: each is computed from the values as they were known at that instant."""

from __future__ import annotations

from bisect import bisect_left

import numpy as np
import numpy.typing as npt

from features.rolling import change, rolling_mean, rolling_var

Float = npt.NDArray[np.float64]
Dates = npt.NDArray[np.datetime64]

WINDOW = 60  # observations of a z-score
SUFFIXES = {
    "level": ("log", "change_1", "change_5", "zscore"),
    "price": ("return_1", "return_5", "return_20", "mean_distance"),
    "rate": ("change_1", "change_5", "change_20", "zscore"),
}
_FLAT = 1e-13  # a variance below this share of the mean square is the rounding error of a constant window


def vintage_features(period: Dates, known_from: Dates, value: Float, kind: str) -> tuple[Dates, Float]:
    """Return the instants at which something became known (n,), ascending, and the features from then on (n, 4).

    A value of an earlier period that is revised or comes late changes the window of the features from that instant on,
    and none before. Missing values are ignored, and values ≤ 0 of a ``level`` or ``price``. Of values with the same
    period and instant the last is used.

    Parameters
    ----------
    period, known_from
        What each value describes and when it became known, datetime64[ns] (N,), in any order.
    kind
        ``level`` (logarithm and its changes), ``price`` (returns) or ``rate`` (differences); see ``SUFFIXES``.
    """
    usable = np.isfinite(value) & ((value > 0.0) | (kind == "rate")) & ~np.isnat(known_from) & ~np.isnat(period)
    period, known_from, value = period[usable], known_from[usable], value[usable]
    order = np.lexsort((np.arange(len(value)), period, known_from))
    period, known_from, x = period[order], known_from[order], value[order]
    same = (known_from[1:] == known_from[:-1]) & (period[1:] == period[:-1])
    last = np.append(~same, True)[: len(x)]
    period, known_from, x = period[last], known_from[last], x[last]
    if kind != "rate":
        x = np.log(x)
    newest = np.maximum.accumulate(period) if len(period) else period
    repeats = np.flatnonzero(period[1:] <= newest[:-1]) + 1
    first = int(repeats[0]) if len(repeats) else len(x)
    features = in_order(x[:first], kind)
    if first < len(x):
        features = np.concatenate([features, revised(period, x, first, kind)])
    features[~np.isfinite(features)] = np.nan
    return known_from, np.asfortranarray(features)  # contiguous columns, because each is read separately


def in_order(x: Float, kind: str) -> Float:
    """Return the features (n, 4) of values that became known in the order of their periods."""
    mean = rolling_mean(x, WINDOW)
    with np.errstate(all="ignore"):
        zscore = (x - mean) / np.sqrt(rolling_var(x, WINDOW, mean))
    changes = [change(x, bars) for bars in (1, 5, 20)]
    return np.stack(_chosen(x, changes, mean, zscore, kind), axis=1)


def revised(period: Dates, x: Float, first: int, kind: str) -> Float:
    """Return the features (n − first, 4) of the rows from ``first`` on, each from the values known then."""
    windows = np.full((len(x) - first, WINDOW), np.nan)
    periods = period[:first].astype(np.int64).tolist()
    values = np.full(WINDOW + len(x), np.nan)  # those of the known periods, in order, after a window of nothing
    values[WINDOW : WINDOW + first] = x[:first]
    for row, at in enumerate(period[first:].astype(np.int64).tolist()):
        position = bisect_left(periods, at)
        if position == len(periods) or periods[position] != at:
            values[WINDOW + position + 1 : WINDOW + len(periods) + 1] = values[
                WINDOW + position : WINDOW + len(periods)
            ]
            periods.insert(position, at)
        values[WINDOW + position] = x[first + row]
        windows[row] = values[len(periods) : len(periods) + WINDOW]
    newest, mean = windows[:, -1], windows.mean(axis=1)
    variance = np.square(windows - mean[:, None]).mean(axis=1)
    variance[variance < _FLAT * np.square(windows).mean(axis=1)] = 0.0
    with np.errstate(all="ignore"):
        zscore = (newest - mean) / np.sqrt(variance)
    changes = [newest - windows[:, -1 - bars] for bars in (1, 5, 20)]
    return np.stack(_chosen(newest, changes, mean, zscore, kind), axis=1)


def _chosen(x: Float, changes: list[Float], mean: Float, zscore: Float, kind: str) -> tuple[Float, ...]:
    if kind == "level":
        return x, changes[0], changes[1], zscore
    return (*changes, x - mean) if kind == "price" else (*changes, zscore)
