"""What the path of an account depends on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from training.validation.backtest.costs import Costs
from training.validation.backtest.exits import Levels
from training.validation.backtest.fills import FillModel, reference_price
from training.validation.backtest.market import Float, Market
from training.validation.backtest.records import Ints
from training.validation.backtest.terms import Terms, resolve

Unit = Literal["shares", "weight"]


@dataclass(frozen=True, eq=False)
class Setting:
    """What a path depends on: bars, decisions (T, S), terms, and rules of the account.

    ``reference`` and ``mark_value`` (T, S) are the price of fills, 0 where there is none, and the money a unit is worth
    at closes. ``delisting`` (S,) is the return on delisting, NaN for none, and ``settlement`` (S,) the row in which
    such a position is settled; None for the one after the symbol's last bar.
    """

    market: Market
    decisions: Float
    unit: Unit
    terms: Terms
    cash: float
    reference: Float
    mark_value: Float
    levels: Levels | None
    delisting: Float
    max_leverage: float | None
    settlement: Ints | None = None

    @classmethod
    def of(
        cls,
        market: Market,
        decisions: Float,
        costs: Costs,
        *,
        unit: Unit,
        fill: FillModel,
        cash: float,
        exchange: Float | None = None,
        levels: Levels | None = None,
        delisting: Float | None = None,
        max_leverage: float | None = None,
        settlement: Ints | None = None,
    ) -> Setting:
        """Resolve costs and prices on a market; ``exchange`` is as for :func:`.resolve`."""
        terms = resolve(costs, market, exchange, fills_at_close=fill == "close")
        reference = reference_price(market, fill)
        return cls(
            market=market,
            decisions=decisions,
            unit=unit,
            terms=terms,
            cash=cash,
            reference=reference if market.has_bar.all() else np.where(market.has_bar, reference, 0.0),
            mark_value=market.mark if terms.unit_value is None else market.mark * terms.unit_value,
            levels=levels,
            delisting=np.full(market.shape[1], np.nan) if delisting is None else delisting,
            max_leverage=max_leverage,
            settlement=settlement,
        )
