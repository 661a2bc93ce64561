"""Prices that were adjusted anew: units follow a split or dividend, so that no position changes its value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from serving.bot.state import BotState
from training.validation.backtest.market import Market

_ROUNDING = 1e-9
_SAME = 1e-6  # two closes that a new basis multiplies differ by rounding of the source only
_PRICES = ("stop", "take_profit", "close", "close_before")


class Rebased(NamedTuple):
    """A state on the prices of the bars, the new units per old one by symbol, and symbols whose close was corrected."""

    state: BotState
    factors: Mapping[str, float]
    corrected: tuple[str, ...]


def rebased(state: BotState, bars: Market) -> Rebased:
    """Return the state of an account on bars whose past prices may have changed since the step before.

    A source of adjusted prices divides all past ones after a split or a dividend: both of the newest closes that were
    seen of a symbol are now smaller by the same factor. Its units, orders and levels are moved by it, as a split does
    and as a dividend that is reinvested. A single close that differs was a mistake of the source: units stay, and the
    position has another value.

    Parameters
    ----------
    bars
        Of the symbols of ``state``, in their order.
    """
    newest = _ratios(state, bars, "close", "date")
    before = _ratios(state, bars, "close_before", "date_before")
    changed = np.abs(newest - 1.0) > _ROUNDING  # False where there is nothing to compare
    moved = changed & ~(np.abs(before / newest - 1.0) > _SAME)
    names = [name for s, name in enumerate(state.symbols) if changed[s] and not moved[s]]
    if not moved.any():
        return Rebased(state, {}, tuple(names))
    factor = np.where(moved, newest, 1.0)
    numbers = dict(state.numbers)
    for name in ("position", "wanted"):
        numbers[name] = numbers[name] * factor
    for name in _PRICES:
        numbers[name] = numbers[name] / factor
    factors = {state.symbols[s]: float(factor[s]) for s in np.flatnonzero(moved)}
    orders = {
        name: replace(order, quantity=order.quantity * factors[name], target=order.target * factors[name])
        if name in factors
        else order
        for name, order in state.orders.items()
    }
    return Rebased(replace(state, numbers=numbers, orders=orders), factors, tuple(names))


def _ratios(state: BotState, bars: Market, price: str, date: str) -> np.ndarray:
    """Return the price (S,) that was seen of a bar over its price now; NaN where there is none to compare."""
    dates, known = state.dates[date], state.numbers[price]
    own = bars.dates.astype("datetime64[ns]")
    row = np.minimum(np.searchsorted(own, dates), len(own) - 1)
    now = bars.close[row, np.arange(len(row))]
    return np.where(own[row] == dates, known / now, np.nan)
