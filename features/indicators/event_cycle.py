"""Moves at the same point of past quarters, because events such as earnings recur every quarter and year.

Companies report about every 62.75 sessions, and the days around a report carry several times the usual variance
(Patell and Wolfson 1981, J. Accounting Research 19; Dubinsky et al. 2019, Rev. Financial Studies 32).
"""

from __future__ import annotations

import numpy as np

from features.bars.period import bar_period
from features.indicators._spec import FeatureSpec
from features.inputs import Float, Inputs
from features.rolling import lag

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
        past = [_past(near, bars_ago - _NEAR[1]) for bars_ago in ago]
        around = _mean_of_known([_past(wide, bars_ago - _WIDE[1]) for bars_ago in ago])
        quarters, years = _mean_of_known(past), _mean_of_known(past[3::4])
        columns += [quarters, np.where(np.isnan(years), quarters, years), around]
    return columns


def _past(x: Float, bars_ago: int) -> Float:
    """Return the values of so many bars ago, NaN where they would depend on later bars: of weekly bars and longer."""
    return lag(x, bars_ago) if bars_ago >= _HALF else np.full(len(x), np.nan)


def _centred_mean(x: Float, half: int) -> Float:
    """Return means of the finite values in t − half … t + half; not causal: to be used ``half`` bars later."""
    known = np.isfinite(x)
    kernel = np.ones(2 * half + 1)
    total = np.convolve(np.where(known, x, 0.0), kernel, "same")
    return np.asarray(total / np.convolve(known.astype(np.float64), kernel, "same"))


def _window_mean(x: Float, bars: int) -> Float:
    """Return the mean of the finite values among the last ``bars``."""
    known, kernel = np.isfinite(x), np.ones(bars)
    total = np.convolve(np.where(known, x, 0.0), kernel)[: len(x)]
    return np.asarray(total / np.convolve(known.astype(np.float64), kernel)[: len(x)])


def _mean_of_known(series: list[Float]) -> Float:
    """Return the mean of each row's finite values."""
    total, count = np.zeros(len(series[0])), np.zeros(len(series[0]))
    for x in series:
        known = np.isfinite(x)
        total += np.where(known, x, 0.0)
        count += known
    return np.asarray(total / count)


SPEC = FeatureSpec(
    name="event_cycle",
    group="calendar",
    description="size of moves and overnight gaps at and around the same point of the past 8 quarters and 2 years",
    columns=lambda layout: _COLUMNS,
    compute=_compute,
    warmup=lambda layout: 59,
    needs=frozenset({"range"}),
)
