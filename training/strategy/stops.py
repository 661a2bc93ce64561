r"""Stops and profit targets at a distance that the forecast volatility makes improbable.

A price without drift touches a level at k standard deviations of the horizon with probability
:math:`2\Phi(-k)`: 10 % for k = 1.645. Under a random walk a stop lowers the expected return.

References
----------
Kaminski & Lo (2014). When do stop-loss rules stop losses? J. Financial Markets 18, 234-254.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from training.strategy.series import Float


def touch_multiple(probability: float) -> float:
    """Return the k at which a price without drift touches a level with this probability."""
    return float(-ndtri(probability / 2.0))


def stop_distance(volatility: Float, bars: int, bars_per_year: Float | float, probability: float) -> Float:
    r"""Return the log distance :math:`k \sigma \sqrt{h / A}` (…) of a level from the close; volatility is annual."""
    return np.asarray(touch_multiple(probability) * volatility * np.sqrt(bars / np.asarray(bars_per_year)))


def level(close: Float, side: Float, distance: Float) -> Float:
    """Return the price at a log distance from the close, (…): below it for side −1, above it for +1; NaN for 0."""
    return np.where(side == 0.0, np.nan, close * np.exp(np.sign(side) * distance))


def trailing(previous: Float, new: Float, side: Float, previous_side: Float) -> Float:
    """Return stops (S,) that only move towards profit while the side of the position (S,) stays the same."""
    best = np.where(side > 0.0, np.fmax(previous, new), np.fmin(previous, new))
    return np.where(side == 0.0, np.nan, np.where(side == previous_side, best, new))


def unmoved(previous: Float, new: Float, side: Float, previous_side: Float) -> Float:
    """Return profit targets (S,) that stay while the side of the position (S,) stays the same."""
    same = (side == previous_side) & np.isfinite(previous)
    return np.where(side == 0.0, np.nan, np.where(same, previous, new))
