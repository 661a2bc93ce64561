"""Limit orders, stops and targets of one bar of an account."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.validation.backtest.fills import exit_fill, limit_fill
from training.validation.backtest.market import Float, Market
from training.validation.backtest.terms import Terms, on

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Levels:
    """Prices (T, S) decided at each close for the next bar, NaN for none; None if no symbol ever has one."""

    limit: Float | None
    stop: Float | None
    take_profit: Float | None


def limited(
    limit: Float, order: Float, price: Float, market: Market, terms: Terms, t: int
) -> tuple[Float, Float, Mask]:
    """Return orders, prices and which rest at their limit, (S,) each; an order whose limit is not reached is 0.

    An order that the open fills within its limit, spread and slippage included, pays both. Any other waits at its limit
    and pays neither.
    """
    rate = np.zeros(len(order))
    for one in (terms.half_spread, terms.slippage):
        if one is not None:
            rate = rate + on(one, t)
    side = np.sign(order)
    has_limit = ~np.isnan(limit)
    at_market = ~has_limit | (side * (price * (1.0 + side * rate) - np.where(has_limit, limit, 0.0)) <= 0.0)
    resting = limit_fill(side, limit, limit, market.high[t], market.low[t])
    filled = at_market | ~np.isnan(resting)
    passive = ~at_market & filled & (order != 0)
    return np.where(filled, order, 0.0), np.where(passive, np.nan_to_num(resting), price), passive


def exits_of(levels: Levels, position: Float, passive: Mask | None, market: Market, t: int) -> tuple[Float, Mask]:
    """Return the price (S,) at which positions are closed in bar t, NaN where none is, and whether by the stop (S,).

    A position that a resting limit order opened or changed within the bar can be stopped in it, but takes no profit:
    the bar's other extreme may have come before.
    """
    nothing = np.full(len(position), np.nan)
    stop = nothing if levels.stop is None else levels.stop[t - 1]
    take = nothing if levels.take_profit is None else levels.take_profit[t - 1]
    if passive is not None:
        take = np.where(passive, np.nan, take)
    price, by_stop = exit_fill(position, stop, take, market.open[t], market.high[t], market.low[t])
    closed = market.tradable[t] & ~np.isnan(price)
    return np.where(closed, price, np.nan), by_stop & closed
