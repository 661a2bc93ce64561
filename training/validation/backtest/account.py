"""An account that walks through the bars: decides at a close, fills in the next bar, and records every fill."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from training.validation.backtest.account_state import AccountState
from training.validation.backtest.charges import borrow_charge, funding_charge, interest_charge, order_charges
from training.validation.backtest.exits import Levels, exits_of, limited
from training.validation.backtest.market import Float
from training.validation.backtest.order_limits import within_leverage, within_volume
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
from training.validation.backtest.setting import Setting
from training.validation.backtest.terms import at, on
from training.validation.backtest.units import unlocked, wanted_units


class Accrued(NamedTuple):
    """What positions and cash earned and cost at a close: dividends, borrow, funding (S,), None for none; interest."""

    dividends: Float | None
    borrow: Float | None
    funding: Float | None
    interest: float


class Account:
    """Positions, and cash where decisions depend on it.

    Cash is followed in the loop only if weights or a limit of leverage need it; the ledger computes it from the fills
    in any case, with the same formulas.

    Parameters
    ----------
    setting
        Bars, decisions and rules.
    liquidate_from
        Row from which on nothing is held.
    state
        What an earlier account had at a close; a new account by default. See :meth:`go_on`.
    """

    def __init__(self, setting: Setting, liquidate_from: int | None = None, state: AccountState | None = None) -> None:
        self.setting = setting
        self._market, self._terms = setting.market, setting.terms
        instants, symbols = setting.market.shape
        state = AccountState.of(setting.cash, symbols) if state is None else state
        self._last = instants if liquidate_from is None else liquidate_from
        self._complete = setting.market.is_complete
        self._tracks = setting.unit == "weight" or setting.max_leverage is not None
        self._all_financed = bool(self._terms.financed.all())
        self._bars = None if self._market.has_bar.all() else self._market.has_bar
        self.cash = state.cash
        self.held = np.zeros((instants, symbols))
        self._position, self._wanted, self._locked = state.position.copy(), state.wanted.copy(), state.locked.copy()
        self._is_closing = state.is_closing
        self._anything = ~np.isnan(setting.decisions)
        decided = self._anything.sum(axis=1)
        self._some, self._all = decided > 0, decided == symbols
        self.records: list[Record] = []
        self.accrued = Accrued(None, None, None, 0.0)
        gone = np.flatnonzero(~np.isnan(setting.delisting))
        after = np.minimum(self._market.last_bar[gone] + 1, instants - 1)
        rows = after if setting.settlement is None else setting.settlement[gone]
        self._delisted_at = {int(t): gone[rows == t] for t in rows}

    def run(self) -> Fills:
        """Walk through all bars, and return the fills."""
        instants = len(self.held)
        for t in range(instants):
            equity = self._bar(t)
            if t < instants - 1:
                self._decide(t, equity)
        return joined(self.records)

    def go_on(self, t: int) -> float:
        """Process bar ``t`` of a market with some bars before it, decide at its close, and return equity.

        An account that was given the state after bar t − 1 has the same orders, cash and equity as one that walked
        through all bars, bit for bit. Of the settings, only rows t − 1 (levels) and t (decisions) are used, and terms
        of row t: the market needs the bars of :func:`.look_back` before it. An account of weights whose equity is not
        above 0 closes all positions.
        """
        equity = self.through(t)
        self._decide(t, equity)
        return equity

    def through(self, t: int) -> float:
        """Do the first half of :meth:`go_on`: fill the orders decided before in bar ``t``, and return equity."""
        if t:
            self.held[t - 1] = self._position
        equity = self._bar(t)
        self._is_closing |= self._tracks and equity <= 0.0
        return equity

    @property
    def state(self) -> AccountState:
        """What an account goes on from after the newest close."""
        return AccountState(
            self.cash, self._position.copy(), self._wanted.copy(), self._locked.copy(), self._is_closing
        )

    def _bar(self, t: int) -> float:
        """Fill orders in a bar, and return equity at its close, 0 if decisions do not need it."""
        if t:
            self._fill(t)
        if t in self._delisted_at:
            self._delist(t, self._delisted_at[t])
        self.held[t] = self._position
        return self._close(t) if self._tracks else 0.0

    def _decide(self, t: int, equity: float) -> None:
        if t >= self._last or self._is_closing:
            self._wanted = np.zeros_like(self._wanted)
            return
        if not self._some[t]:
            return
        setting, decided = self.setting, self.setting.decisions[t]
        of_equity = None
        if setting.unit == "weight":
            worth = setting.mark_value[t]
            of_equity = equity, worth if self._complete else np.where(worth > 0, worth, 1.0)
        wanted = wanted_units(decided, of_equity, None if self._terms.lot is None else on(self._terms.lot, t))
        if setting.levels is not None:
            wanted, self._locked = unlocked(decided, wanted, self._locked)
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
            order = within_volume(order, t, self._market, self._terms)
        if self.setting.max_leverage is not None:
            order = within_leverage(order, price, t, self.setting, self._position, self.cash)
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
            self.records.append((t, columns, kind, requested, order, price))
        else:
            for own, mask in ((MARKET, ~passive), (LIMIT, passive)):
                if mask.any():
                    self.records.append((t, columns[mask], own, requested[mask], order[mask], price[mask]))
        if self._tracks:
            unit = self._terms.fill_unit_value
            paid = order * price if unit is None else order * price * at(unit, t, columns)
            self.cash -= float(paid.sum())
            if kind != DELISTING:
                resting = np.ones(len(order), bool) if kind == TAKE_PROFIT else passive
                where = slice(None) if dense else columns
                self.cash -= order_charges(self._terms, t, where, order, np.abs(paid), resting).total()

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
        dividends: Float | None = None
        if self._market.dividends is not None and t:
            dividends = self.held[t - 1] * self._market.dividends[t]
            if self._terms.unit_value is not None:
                dividends = dividends * on(self._terms.unit_value, t)
            self.cash += float(dividends.sum())
        base = self.cash if self._all_financed else self.cash + float(value @ (1.0 - self._terms.financed))
        bars = None if self._bars is None else self._bars[t]
        fees = borrow_charge(self._terms, t, value, bars), funding_charge(self._terms, t, value, bars)
        for charge in fees:
            if charge is not None:
                self.cash -= float(charge.sum())
        interest = interest_charge(self._terms, t, base)
        self.cash -= interest
        self.accrued = Accrued(dividends, *fees, interest)
        return self.cash + float(value.sum())
