"""Moves at the same point of past quarters, because events such as earnings recur every quarter and year.

Companies report about every 62.75 sessions, and the days around a report carry several times the usual variance
(Patell and Wolfson 1981, J. Accounting Research 19; Dubinsky et al. 2019, Rev. Financial Studies 32).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from features.bars.period import bar_period
from features.indicators._spec import FeatureSpec
from features.inputs import Float, Inputs
from features.rolling import rolling_sum

_QUARTER = 62.75 / 252.0  # of a year of bars
_QUARTERS = 8
_HALF = 30  # bars on either side of a past bar that define its usual variance; all are before t
_NEAR = (1, 5)  # bars after t, shifted into past quarters
_WIDE = (-5, 12)
_CAP = 100.0
_DATED = 60  # the first bars, whose dates tell the period: all rows that are used are later

_COLUMNS = tuple(f"event_{what}_{when}" for what in ("move", "gap") for when in ("quarters", "years", "around"))


def _compute(inputs: Inputs) -> list[Float]:
    bars, n = inputs.bars, len(inputs.bars)
    if n <= 2 * _HALF + 1:
        return [np.full(n, np.nan)] * len(_COLUMNS)
    usual = _centred_mean(inputs.variance, _HALF)
    overnight = np.full(n, np.nan)
    overnight[1:] = np.log(bars.open[1:] / bars.close[:-1])
    moves = np.sqrt(np.minimum(inputs.variance / usual, _CAP))
    gaps = np.log1p(np.minimum(overnight**2 / usual, _CAP))
    year = bar_period(bars.dates[:_DATED]).bars_per_year
    ago = [round(_QUARTER * year * quarter) for quarter in range(1, _QUARTERS + 1)]
    columns: list[Float] = []
    for size in (moves, gaps):
        near, wide = (_window_mean(size, last - first + 1) for first, last in (_NEAR, _WIDE))
        quarters = _mean_of_past(near, [bars_ago - _NEAR[1] for bars_ago in ago])
        years = _mean_of_past(near, [bars_ago - _NEAR[1] for bars_ago in ago[3::4]])
        around = _mean_of_past(wide, [bars_ago - _WIDE[1] for bars_ago in ago])
        columns += [quarters, np.where(np.isnan(years), quarters, years), around]
    return columns


def _mean_of_past(x: Float, lags: Sequence[int]) -> Float:
    """Return the mean of the finite values x[t − lag] over the lags; NaN where there is none.

    Lags below the half width, of weekly bars and longer, are left out: their values depend on bars after t.
    """
    known = np.isfinite(x)
    values, used = np.where(known, x, 0.0), tuple(lag for lag in lags if _HALF <= lag < len(x))
    return np.asarray(_sum_of_past(values, used) / _count_of_past(known.tobytes(), used))


def _sum_of_past(x: Float, lags: tuple[int, ...]) -> Float:
    total = np.zeros(len(x))
    for bars in lags:
        total[bars:] += x[:-bars]
    return total


@lru_cache(maxsize=8)  # most symbols of a universe have a value at every bar but the first
def _count_of_past(known: bytes, lags: tuple[int, ...]) -> Float:
    return _sum_of_past(np.frombuffer(known, np.bool_).astype(np.float64), lags)


def _centred_mean(x: Float, half: int) -> Float:
    """Return means of the finite values in t − half … t + half; not causal: to be used ``half`` bars later."""
    ahead = np.concatenate([x, np.full(half, np.nan)])
    return _window_mean(ahead, 2 * half + 1)[half:]


def _window_mean(x: Float, bars: int) -> Float:
    """Return the mean of the finite values among the last ``bars``."""
    known = np.isfinite(x)
    values = np.zeros(len(x))
    np.copyto(values, x, where=known)
    return np.asarray(_window_sum(values, bars) / _window_count(known.tobytes(), bars))


def _window_sum(x: Float, bars: int) -> Float:
    """Return the sum of the last ``bars`` values, or of as many as there are."""
    return rolling_sum(np.concatenate([np.zeros(bars - 1), x]), bars)[bars - 1 :]


@lru_cache(maxsize=8)
def _window_count(known: bytes, bars: int) -> Float:
    return _window_sum(np.frombuffer(known, np.bool_).astype(np.float64), bars)


SPEC = FeatureSpec(
    name="event_cycle",
    group="calendar",
    description="size of moves and overnight gaps at and around the same point of the past 8 quarters and 2 years",
    columns=lambda layout: _COLUMNS,
    compute=_compute,
    warmup=lambda layout: 59,
    needs=frozenset({"range"}),
)
