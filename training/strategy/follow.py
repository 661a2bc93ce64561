"""Walk through dates: what is held drifts with prices, is closed by stops, and is moved to the target within limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from training.strategy.caps import cap_turnover, in_band
from training.strategy.series import Float, Ints, Mask
from training.strategy.stops import kept, trailing
from training.validation.backtest.fills import exit_fill


class Held(NamedTuple):
    """What an account has before a decision, (S,) each.

    ``weights`` are shares of equity; ``stops`` and ``take_profits`` prices, NaN for none; ``waiting`` the dates for
    which a symbol has no position because a stop or target closed it, this one included.
    """

    weights: Float
    stops: Float
    take_profits: Float
    waiting: Ints

    @classmethod
    def of(cls, weights: Float) -> Held:
        """Return an account with these weights and no stops."""
        nothing = np.full(len(weights), np.nan)
        return cls(np.asarray(weights, dtype=np.float64), nothing, nothing, np.zeros(len(weights), dtype=np.int64))


@dataclass(frozen=True, eq=False)
class Wanted:
    """Wanted weights (D, S); ``undecided`` where what is held stays, such as on a symbol's holiday."""

    target: Float
    undecided: Mask


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
    """Of each date, (D, S): what is ``held`` before the decision, as in :class:`Held`, and what is decided.

    ``kept`` is where nothing is to be done.
    """

    held: Float
    weights: Float
    kept: Mask
    stops: Float
    take_profits: Float
    waiting: Ints


def follow(
    wanted: Wanted,
    bars: Bars,
    levels: Levels,
    limits: Callable[[int], Callable[[Float], Float]],
    start: Held,
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
        Gives, for a row, the function that brings weights within limits.
    start
        What is held at the close of the first date.
    band, turnover
        See :class:`~configs.strategy.CapConfig`. Reductions that limits require come before the limit of turnover.
    """
    shape = wanted.target.shape
    held, weights, stops, takes = (np.empty(shape) for _ in range(4))
    waits = np.zeros(shape, dtype=np.int64)
    own, stop, take, waiting = start
    for t in range(shape[0]):
        side = np.sign(own)
        if t:
            own, stop, take, waiting = through_bar(Held(own, stop, take, waiting), bars, t, levels.wait)
        limit = limits(t)
        held[t], waits[t], base = own, waiting, limit(own)
        target = np.where(waiting > 0, 0.0, np.where(wanted.undecided[t], base, wanted.target[t]))
        target = limit(target)
        target = limit(np.where(in_band(base, target, band), base, target))
        own = weights[t] = target if turnover is None else limit(cap_turnover(base, target, turnover))
        long = own > 0.0
        stop = trailing(stop, np.where(long, levels.stop_below[t], levels.stop_above[t]), np.sign(own), side)
        take = kept(take, np.where(long, levels.profit_above[t], levels.profit_below[t]), np.sign(own), side)
        stops[t], takes[t] = stop, take
    return Path(held, weights, (weights == held) & (weights != 0.0), stops, takes, waits)


def through_bar(decided: Held, bars: Bars, t: int, wait: int) -> Held:
    """Return what is held at the close of bar ``t`` of what was decided at the close before.

    Weights drift with prices. A position whose stop or target the bar reaches is closed at the price of the exit, and
    its symbol waits for ``wait`` dates.
    """
    weights, stop, take, waiting = decided
    exit_price, _ = exit_fill(weights, stop, take, bars.open[t], bars.high[t], bars.low[t])
    closed = np.isfinite(exit_price)
    growth = np.where(closed, exit_price, bars.close[t]) / bars.before[t]
    growth = np.where(np.isfinite(growth), growth, 1.0)
    equity = 1.0 + float((weights * (growth - 1.0)).sum())
    own = np.zeros_like(weights) if equity <= 0.0 else np.where(closed, 0.0, weights * growth / equity)
    return Held(own, stop, take, np.where(closed, wait, np.maximum(waiting - 1, 0)))
