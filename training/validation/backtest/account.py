"""An account that walks through the bars: decides at a close, fills in the next bar, and records every fill."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from training.validation.backtest.charges import borrow_charge, funding_charge, interest_charge, order_charges
from training.validation.backtest.exits import Levels, exits_of, limited
from training.validation.backtest.market import Float, Market
from training.validation.backtest.records import (
    DELISTING,
    LIMIT,
    MARKET,
    STOP,
    TAKE_PROFIT,
    Fills,
    Ints,
    Record,
    joined,
)
from training.validation.backtest.terms import Figure, Terms, at, on


@dataclass(frozen=True, eq=False)
class Setting:
    """What a path depends on: bars, decisions (T, S), terms, and rules of the account.

    ``reference`` and ``mark_value`` (T, S) are the price of fills, 0 where there is none, and the money a unit is worth
    at closes. ``delisting`` (S,) is the return on delisting, NaN for none.
    """

    market: Market
    decisions: Float
    unit: Literal["shares", "weight"]
    terms: Terms
    cash: float
    reference: Float
    mark_value: Float
    levels: Levels | None
    delisting: Float
    max_leverage: float | None


class Account:
    """Positions, and cash where decisions depend on it.

    Cash is followed in the loop only if weights or a limit of leverage need it; the ledger computes it from the fills
    in any case, with the same formulas.
    """

    def __init__(self, setting: Setting, liquidate_from: int | None = None) -> None:
        self.setting = setting
        self._market, self._terms = setting.market, setting.terms
        instants, symbols = setting.market.shape
        self._last = instants if liquidate_from is None else liquidate_from
        self._complete = setting.market.is_complete
        self._tracks = setting.unit == "weight" or setting.max_leverage is not None
        self._all_financed = bool(self._terms.financed.all())
        self._all_volume = bool(self._market.has_volume.all())
        self._bars = None if self._market.has_bar.all() else self._market.has_bar
        self.cash = setting.cash
        self.held = np.zeros((instants, symbols))
        self._position = np.zeros(symbols)
        self._wanted = np.zeros(symbols)
        self._locked = np.zeros(symbols)
        self._anything = ~np.isnan(setting.decisions)
        decided = self._anything.sum(axis=1)
        self._some, self._all = decided > 0, decided == symbols
        self._records: list[Record] = []
        gone = np.flatnonzero(~np.isnan(setting.delisting))
        self._delisted_at = {
            int(t): gone[np.minimum(self._market.last_bar[gone] + 1, instants - 1) == t]
            for t in np.minimum(self._market.last_bar[gone] + 1, instants - 1)
        }

    def run(self) -> Fills:
        """Walk through all bars, and return the fills."""
        instants = len(self.held)
        for t in range(instants):
            if t:
                self._fill(t)
            if t in self._delisted_at:
                self._delist(t, self._delisted_at[t])
            self.held[t] = self._position
            equity = self._close(t) if self._tracks else 0.0
            if t < instants - 1:
                self._decide(t, equity)
        return joined(self._records)

    def _decide(self, t: int, equity: float) -> None:
        if t >= self._last:
            self._wanted = np.zeros_like(self._wanted)
            return
        if not self._some[t]:
            return
        wanted = self.setting.decisions[t]
        if self.setting.unit == "weight":
            price = self.setting.mark_value[t]
            wanted = wanted * equity / (price if self._complete else np.where(price > 0, price, 1.0))
        if self._terms.lot is not None:
            wanted = _whole_lots(wanted, on(self._terms.lot, t))
        if self.setting.levels is not None:
            same = (self._locked != 0) & (np.sign(self.setting.decisions[t]) == self._locked)
            self._locked = np.where(same | ~self._anything[t], self._locked, 0.0)
            wanted = np.where(same, 0.0, wanted)
        self._wanted = wanted if self._all[t] else np.where(self._anything[t], wanted, self._wanted)

    def _fill(self, t: int) -> None:
        order = self._wanted - self._position
        if not self._complete:
            order[~self._market.tradable[t]] = 0.0
        if self.setting.unit == "weight":
            # Rounding of weights is not a decision: an order of it would pay the least commission.
            order[np.abs(order) <= 1e-12 * np.abs(self._position)] = 0.0
        price, passive = self.setting.reference[t], None
        levels = self.setting.levels
        if levels is not None and levels.limit is not None:
            order, price, passive = limited(levels.limit[t - 1], order, price, self._market, self._terms, t)
        requested = order
        if self._terms.cap is not None:
            order = self._capped(order, t)
        if self.setting.max_leverage is not None:
            order = self._within_leverage(order, price, t)
        (columns,) = order.nonzero()
        if len(columns):
            self._position = self._position + order
            dense = len(columns) == len(order)
            self._trade(t, columns, requested, order, price, passive, dense)
        if levels is not None:
            self._exit(t, levels, passive)

    def _trade(
        self,
        t: int,
        columns: Ints,
        requested: Float,
        order: Float,
        price: Float,
        passive: npt.NDArray[np.bool_] | None,
        dense: bool = False,
        kind: int = MARKET,
    ) -> None:
        if not dense:
            requested, order, price = requested[columns], order[columns], price[columns]
            passive = None if passive is None else passive[columns]
        if passive is None:
            self._records.append((t, columns, kind, requested, order, price))
        else:
            for own, mask in ((MARKET, ~passive), (LIMIT, passive)):
                if mask.any():
                    self._records.append((t, columns[mask], own, requested[mask], order[mask], price[mask]))
        if self._tracks:
            unit = self._terms.fill_unit_value
            paid = order * price if unit is None else order * price * at(unit, t, columns)
            self.cash -= float(paid.sum())
            if kind != DELISTING:
                resting = np.ones(len(order), bool) if kind == TAKE_PROFIT else passive
                where = slice(None) if dense else columns
                self.cash -= order_charges(self._terms, t, where, order, np.abs(paid), resting).total()

    def _capped(self, order: Float, t: int) -> Float:
        assert self._terms.cap is not None
        most = self._terms.cap * self._market.volume[t]
        if not self._all_volume:
            most[~self._market.has_volume[t]] = np.inf
        if not (np.abs(order) > most).any():
            return order
        filled: Float = np.minimum(np.maximum(order, -most), most)
        if self._terms.lot is not None:
            cut = filled != order
            filled[cut] = _whole_lots(filled[cut], at(self._terms.lot, t, cut))
        return filled

    def _within_leverage(self, order: Float, price: Float, t: int) -> Float:
        """Return orders whose growing parts are scaled so that gross exposure is at most a multiple of equity."""
        assert self.setting.max_leverage is not None
        unit = self._terms.fill_unit_value
        value = price if unit is None else price * on(unit, t)
        value = np.where(value > 0, value, self.setting.mark_value[t - 1])
        q = self._position
        shrinking = np.where(q * order < 0, -np.sign(q) * np.minimum(np.abs(q), np.abs(order)), 0.0)
        growing = order - shrinking
        equity = self.cash + float((q * value).sum())
        room = self.setting.max_leverage * equity - float((np.abs(q + shrinking) * value).sum())
        wanted = float((np.abs(growing) * value).sum())
        if wanted <= room or wanted == 0.0:
            return order
        growing = growing * max(room / wanted, 0.0)
        if self._terms.lot is not None:
            growing = _whole_lots(growing, on(self._terms.lot, t))
        return np.asarray(shrinking + growing)

    def _exit(self, t: int, levels: Levels, passive: npt.NDArray[np.bool_] | None) -> None:
        price, by_stop = exits_of(levels, self._position, passive, self._market, t)
        for kind, mask in ((STOP, by_stop), (TAKE_PROFIT, ~by_stop & ~np.isnan(price))):
            (columns,) = mask.nonzero()
            if len(columns):
                order = -self._position
                self._locked[columns] = np.sign(self._position[columns])
                self._wanted = self._wanted.copy()
                self._wanted[columns] = 0.0
                self._position = np.where(mask, 0.0, self._position)
                self._trade(t, columns, order, order, price, None, kind=kind)

    def _delist(self, t: int, columns: Ints) -> None:
        columns = columns[self._position[columns] != 0]
        if len(columns):
            order = -self._position
            price = self._market.mark[t] * (1.0 + self.setting.delisting)
            self._position = self._position.copy()
            self._position[columns] = 0.0
            self._trade(t, columns, order, order, price, None, kind=DELISTING)

    def _close(self, t: int) -> float:
        value = self._position * self.setting.mark_value[t]
        if self._market.dividends is not None and t:
            paid = self.held[t - 1] * self._market.dividends[t]
            unit = self._terms.unit_value
            self.cash += float((paid if unit is None else paid * on(unit, t)).sum())
        base = self.cash if self._all_financed else self.cash + float(value @ (1.0 - self._terms.financed))
        bars = None if self._bars is None else self._bars[t]
        for charge in (borrow_charge(self._terms, t, value, bars), funding_charge(self._terms, t, value, bars)):
            if charge is not None:
                self.cash -= float(charge.sum())
        self.cash -= interest_charge(self._terms, t, base)
        return self.cash + float(value.sum())


def _whole_lots(quantity: Float, lot: Figure) -> Float:
    """Return quantities rounded towards zero to multiples of lots; 0 allows fractions."""
    safe = np.where(np.asarray(lot) > 0, lot, 1.0)
    # A tenth is no whole number of binary digits: 0.3 / 0.1 is three lots.
    return np.asarray(np.where(np.asarray(lot) > 0, np.trunc(quantity / safe * (1.0 + 1e-12)) * safe, quantity))
