"""The newest bars of a market: as many as the terms of its last bar depend on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from training.validation.backtest import impact, spread
from training.validation.backtest.costs import CORWIN_SCHULTZ, Costs
from training.validation.backtest.market import Before, Float, Market, Mask

_CHUNK = 64
_PRICES = ("open", "high", "low", "close", "volume")


def look_back(market: Market, costs: Costs) -> int:
    """Return how many rows, the newest included, the terms of the newest bar depend on.

    The impact of an order depends on the 20 rows before it and the closes before those; an estimated spread on each
    symbol's 22 bars before it, which are further back if it had none on some dates.
    """
    rows = impact.BARS + 1
    if costs.half_spread_bps != CORWIN_SCHULTZ:
        return min(rows, len(market.dates))
    needed = spread.BARS + 2  # the spread of a bar needs the one before it
    for column in np.flatnonzero(market.close[-1] == market.close[-1]):
        own = np.flatnonzero(market.close[:, column] == market.close[:, column])
        rows = max(rows, len(market.dates) - int(own[max(len(own) - needed, 0)]))
    return min(rows, len(market.dates))


def rows_of(market: Market, start: int, stop: int | None = None, first: int = 0) -> Market:
    """Return rows from ``start`` on, of a market that begins at row ``first``; it knows what was between them."""
    cut = {name: getattr(market, name)[start:stop] for name in _PRICES}
    dividends = None if market.dividends is None else market.dividends[start:stop]
    before = None if start == first else _before(market, first, start)
    return replace(market, dates=market.dates[start:stop], **cut, dividends=dividends, before=before)


def _before(market: Market, first: int, stop: int) -> Before:
    close, traded = np.zeros(market.shape[1]), np.zeros(market.shape[1], bool)
    if market.before is not None and first == 0:
        close, traded = market.before.close.copy(), market.before.traded.copy()
    missing: Mask = np.ones(market.shape[1], bool)
    silent: Mask = ~traded
    # From the newest row backwards: most symbols have a bar in it.
    for end in range(stop, first, -_CHUNK):
        rows = slice(max(end - _CHUNK, first), end)
        prices: Float = market.close[rows]
        known = prices == prices
        found = np.flatnonzero(missing & known.any(axis=0))
        newest = len(prices) - 1 - known[::-1, found].argmax(axis=0)
        close[found] = prices[newest, found]
        missing[found] = False
        if silent.any():
            traded |= (market.volume[rows] > 0).any(axis=0)
            silent = ~traded
        if not missing.any() and not silent.any():
            break
    return Before(close, traded)
