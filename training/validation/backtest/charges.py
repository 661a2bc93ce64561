"""What orders and positions cost, for one bar while a path is walked and for all records afterwards: one formula."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from training.validation.backtest.market import Float
from training.validation.backtest.terms import Index, Terms, at, on


class OrderCharges(NamedTuple):
    """Costs of orders (n,), in money of the account; 0.0 for a cost that does not exist."""

    spread: Float | float
    slippage: Float | float
    impact: Float | float
    commission: Float | float

    def total(self) -> float:
        """Return the sum."""
        return float(np.sum(self.spread + self.slippage + self.impact + self.commission))


def order_charges(
    terms: Terms, rows: Index, columns: Index, quantity: Float, value: Float, passive: Any
) -> OrderCharges:
    """Return what orders cost.

    Parameters
    ----------
    rows, columns
        Where the orders are in the market.
    quantity
        Signed units (n,), not 0.
    value
        Their size at the reference price, in money of the account (n,), positive.
    passive
        Mask (n,) of orders filled at their own limit, which pay commission only; None for none.
    """
    size = np.abs(quantity)
    spread: Float | float = 0.0 if terms.half_spread is None else value * at(terms.half_spread, rows, columns)
    slippage: Float | float = 0.0 if terms.slippage is None else value * at(terms.slippage, rows, columns)
    impact: Float | float = 0.0
    if terms.impact is not None and terms.liquidity is not None:
        rate = np.sqrt(size) * terms.liquidity[rows, columns] * at(terms.impact, rows, columns)
        # A sale cannot bring less than nothing.
        impact = np.minimum(value * rate, np.maximum(value - spread - slippage, 0.0))
    if passive is not None:
        spread, slippage, impact = (np.where(passive, 0.0, one) for one in (spread, slippage, impact))
    commission: Float | float = 0.0
    if terms.commission is not None:
        filled = value + np.sign(quantity) * (spread + slippage + impact)
        commission = filled * at(terms.commission, rows, columns)
    if terms.per_share is not None:
        commission = commission + size * at(terms.per_share, rows, columns)
    if terms.minimum is not None:
        commission = np.maximum(commission, at(terms.minimum, rows, columns))
    return OrderCharges(spread, slippage, impact, commission)


def borrow_charge(terms: Terms, rows: Index, value: Float, has_bar: Any) -> Float | None:
    """Return the fee on short positions of signed values (…, S) at closes; None without one."""
    if terms.borrow is None:
        return None
    fee = np.minimum(value, 0.0) * on(terms.borrow, rows)
    return np.asarray(-fee if has_bar is None else -fee * has_bar)


def funding_charge(terms: Terms, rows: Index, value: Float, has_bar: Any) -> Float | None:
    """Return the funding that positions of signed values (…, S) pay at closes, negative if received; None without."""
    if terms.funding is None:
        return None
    paid = value * on(terms.funding, rows)
    return np.asarray(paid if has_bar is None else paid * has_bar)


def interest_charge(terms: Terms, row: int, base: float) -> float:
    """Return the interest that cash costs at a close, negative if earned."""
    if base >= 0:
        return 0.0 if terms.earned is None else -base * float(terms.earned[row])
    return 0.0 if terms.charged is None else -base * float(terms.charged[row])
