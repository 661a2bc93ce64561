"""Walk through dates: what is held drifts with prices, and is moved towards the target within limits."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from training.strategy.caps import cap_turnover, in_band
from training.strategy.series import Float, Mask
from training.strategy.stops import trailing

Limit = Callable[[int], Callable[[Float], Float]]


class Held(NamedTuple):
    """What an account holds before a decision: weights (S,) as shares of equity, and stops (S,), NaN for none."""

    weights: Float
    stops: Float

    @classmethod
    def nothing(cls, symbols: int) -> Held:
        """Return an account without positions."""
        return cls(np.zeros(symbols), np.full(symbols, np.nan))


class Path(NamedTuple):
    """Of each date, (D, S): weights ``held`` before the decision and ``weights`` after it, ``kept`` ones, stops."""

    held: Float
    weights: Float
    kept: Mask
    stops: Float


def follow(
    target: Float,
    undecided: Mask,
    growth: Float,
    limits: Limit,
    new_stops: Callable[[Float], Float],
    start: Held,
    *,
    band: float,
    turnover: float | None,
) -> Path:
    """Return the path of a portfolio through D dates.

    Parameters
    ----------
    target : (D, S)
        Wanted weights.
    undecided : (D, S)
        Where nothing is decided and what is held stays, such as on a symbol's holiday.
    growth : (D, S)
        Close over the close before; the first row is not used.
    limits
        Gives, for a row, the function that brings weights within limits.
    new_stops
        Gives stop prices (D, S) for weights, as of each close.
    start
        What is held before the first decision.
    band, turnover
        See :class:`~configs.strategy.CapConfig`. Reductions that limits require come before the limit of turnover.
    """
    held, weights = np.empty(target.shape), np.empty(target.shape)
    own = np.asarray(start.weights, dtype=np.float64)
    for t in range(len(target)):
        own = own if t == 0 else _drifted(own, growth[t])
        limit = limits(t)
        held[t], base = own, limit(own)
        wanted = limit(np.where(undecided[t], base, target[t]))
        wanted = limit(np.where(in_band(base, wanted, band), base, wanted))
        own = weights[t] = wanted if turnover is None else limit(cap_turnover(base, wanted, turnover))
    stops = new_stops(weights)
    side, before = np.sign(start.weights), start.stops
    for t in range(len(target)):
        stops[t] = trailing(before, stops[t], np.sign(weights[t]), side)
        side, before = np.sign(weights[t]), stops[t]
    return Path(held, weights, (weights == held) & (weights != 0.0), stops)


def _drifted(weights: Float, growth: Float) -> Float:
    """Return shares of equity after a date on which prices grew by these factors (S,)."""
    equity = 1.0 + float((weights * (growth - 1.0)).sum())
    return weights * growth / equity if equity > 0.0 else np.zeros_like(weights)
