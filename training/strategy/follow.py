"""Simulate a portfolio through dates.

Weights drift with prices, stops close positions, and rebalancing moves them to the target within limits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from training.strategy.caps import cap_turnover, in_band
from training.strategy.series import Float, Ints, Mask
from training.strategy.stops import trailing, unmoved
from training.validation.backtest.fills import exit_fill


class PortfolioState(NamedTuple):
    """Positions of a portfolio before a decision, (S,) each.

    ``weights`` are shares of equity; ``stops`` and ``take_profits`` prices, NaN for none; ``waiting`` the dates for
    which a symbol has no position because a stop or target closed it, this one included. ``filled`` are the weights
    that fills have made: without a bar since a decision, those before it.
    """

    weights: Float
    stops: Float
    take_profits: Float
    waiting: Ints
    filled: Float

    @classmethod
    def of(cls, weights: Float) -> PortfolioState:
        """Return the state of a portfolio with these weights and no stops."""
        weights, nothing = np.asarray(weights, dtype=np.float64), np.full(len(weights), np.nan)
        return cls(weights, nothing, nothing, np.zeros(len(weights), dtype=np.int64), weights)


@dataclass(frozen=True, eq=False)
class Wanted:
    """Wanted weights (D, S); ``undecided`` where what is held stays, such as on a symbol's holiday.

    ``stuck`` is where a position should be closed, which no bar allows: it counts for the limits, and is not traded.
    """

    target: Float
    undecided: Mask
    stuck: Mask


@dataclass(frozen=True, eq=False)
class Bars:
    """Prices (D, S); NaN without a bar. ``before`` is the newest close before the date."""

    open: Float
    high: Float
    low: Float
    close: Float
    before: Float


@dataclass(frozen=True, eq=False)
class Levels:
    """Prices (D, S) below and above each close: stops of long and short positions, and their profit targets."""

    stop_below: Float
    stop_above: Float
    profit_above: Float
    profit_below: Float
    wait: int


class Path(NamedTuple):
    """Of each date, (D, S): weights before the decision, ``held`` and ``filled``, and what is decided.

    ``waiting`` and ``filled`` are as in :class:`PortfolioState`.
    ``is_unchanged`` is where a position needs no order.
    """

    held: Float
    weights: Float
    is_unchanged: Mask
    stops: Float
    take_profits: Float
    waiting: Ints
    filled: Float


def follow(
    wanted: Wanted,
    bars: Bars,
    levels: Levels,
    limits: Callable[[int, Float], Callable[[Float], Float]],
    start: PortfolioState,
    *,
    band: float,
    turnover: float | None,
) -> Path:
    """Return the path of a portfolio through D dates.

    Stops and targets of a date's close hold for the next bar, and are filled as in a backtest. A stop only moves
    towards profit, and a target stays, while the side of the position does.

    Parameters
    ----------
    limits
        Gives, for a row and weights that cannot be traded, the function that brings the others within limits.
    start
        What is held at the close of the first date.
    band, turnover
        See :class:`~configs.strategy.CapConfig`. Reductions that limits require come before the limit of turnover.
    """
    shape = wanted.target.shape
    held, weights, stops, takes, fills = (np.empty(shape) for _ in range(5))
    waits = np.zeros(shape, dtype=np.int64)
    own, stop, take, waiting, filled = start
    for t in range(shape[0]):
        side = np.sign(own)
        if t:
            own, stop, take, waiting, filled = through_bar(
                PortfolioState(own, stop, take, waiting, filled), bars, t, levels.wait
            )
        held[t], waits[t], fills[t] = own, waiting, filled
        idle = np.where(wanted.undecided[t], own, 0.0)
        fixed = np.where(wanted.stuck[t], filled, idle)
        limit = limits(t, fixed)
        base = limit(np.where(fixed == 0.0, own, 0.0))
        target = np.where(wanted.undecided[t] | (waiting > 0), 0.0, wanted.target[t])
        target = limit(target)
        target = limit(np.where(in_band(base, target, band), base, target))
        target = target if turnover is None else limit(cap_turnover(base, target, turnover))
        own = weights[t] = target + idle
        long = own > 0.0
        stop = trailing(stop, np.where(long, levels.stop_below[t], levels.stop_above[t]), np.sign(own), side)
        take = unmoved(take, np.where(long, levels.profit_above[t], levels.profit_below[t]), np.sign(own), side)
        stops[t], takes[t] = stop, take
    return Path(held, weights, (weights == held) & (weights != 0.0), stops, takes, waits, fills)


def through_bar(decided: PortfolioState, bars: Bars, t: int, wait: int) -> PortfolioState:
    """Return what is held at the close of bar ``t`` of what was decided at the close before.

    Weights drift with prices. A position whose stop or target the bar reaches is closed at the price of the exit, and
    its symbol waits for ``wait`` dates.
    """
    weights, stop, take, waiting, filled = decided
    exit_price, _ = exit_fill(weights, stop, take, bars.open[t], bars.high[t], bars.low[t])
    closed = np.isfinite(exit_price)
    growth = np.where(closed, exit_price, bars.close[t]) / bars.before[t]
    growth = np.where(np.isfinite(growth), growth, 1.0)
    equity = 1.0 + float((weights * (growth - 1.0)).sum())
    nothing = np.zeros_like(weights)
    own = nothing if equity <= 0.0 else np.where(closed, 0.0, weights * growth / equity)
    waits_for_bar = nothing if equity <= 0.0 else filled / equity
    filled = np.where(np.isfinite(bars.close[t]), own, waits_for_bar)
    return PortfolioState(own, stop, take, np.where(closed, wait, np.maximum(waiting - 1, 0)), filled)
