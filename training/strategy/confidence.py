"""Which forecasts of a direction are acted on, and why the others are not."""

from __future__ import annotations

import numpy as np

from configs.strategy import FilterConfig
from training.strategy.edge import Edge
from training.strategy.reasons import Flags, Reason, flagged
from training.strategy.series import Float

_BINS = 1000


def past_rank(values: Float) -> Float:
    """Return the share of earlier dates' values, of all symbols, that are smaller than each value (D, S).

    Values are in [0, 1] and compared to a thousandth; equal ones count half. NaN where there is no value or no earlier
    one.
    """
    known = np.isfinite(values)
    place = np.minimum(np.where(known, values, 0.0) * _BINS, _BINS - 1).astype(np.int64)
    dates = len(values)
    rows = np.broadcast_to(np.arange(dates)[:, None], values.shape)
    counts = np.bincount((rows * _BINS + place)[known], minlength=dates * _BINS).reshape(dates, _BINS)
    past = np.cumsum(counts, axis=0) - counts
    below = np.cumsum(past, axis=1)
    total = below[:, -1:].astype(np.float64)
    same = np.take_along_axis(past, place, axis=1)
    rank = np.take_along_axis(below, place, axis=1) - 0.5 * same
    return np.where(known & (total > 0), rank / np.maximum(total, 1.0), np.nan)


class RankCounts:
    """The values of all dates so far, of which :func:`past_rank` is made date by date."""

    def __init__(self) -> None:
        self._past = np.zeros(_BINS, dtype=np.int64)

    def past_rank(self, values: Float) -> Float:
        """Return the ranks (S,) of a date's values among those before, and add them."""
        known = np.isfinite(values)
        place = np.minimum(np.where(known, values, 0.0) * _BINS, _BINS - 1).astype(np.int64)
        below = np.cumsum(self._past)
        total = float(below[-1])
        rank = below[place] - 0.5 * self._past[place]
        self._past += np.bincount(place[known], minlength=_BINS)
        return np.where(known & (total > 0), rank / max(total, 1.0), np.nan)


def rejections(
    edge: Edge, confidence: Float, strength: Float, days: Float, cost: float, settings: FilterConfig
) -> Flags:
    """Return why forecasts are not acted on (D, S), 0 where they are.

    ``COSTS``: even the expected return does not exceed costs. ``SKILL``: it does, but the lower bound of what
    past forecasts were worth does not, or too few outcomes are known.

    Parameters
    ----------
    confidence, strength : (D, S)
        Probability of the direction taken, and rank among past forecasts.
    days : (D,)
        Days whose outcomes are known.
    """
    pays = edge.expected_return > cost
    proven = (edge.lower > 0.0) & (days[:, None] >= settings.min_days)
    return (
        flagged(~pays, Reason.COSTS)
        | flagged(pays & ~proven, Reason.SKILL)
        | flagged(~(confidence >= settings.min_confidence), Reason.CONFIDENCE)
        | flagged(np.nan_to_num(strength) < settings.min_strength, Reason.STRENGTH)
    )
