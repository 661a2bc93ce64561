"""A broker that fills orders as a backtest does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np

from serving.bot.broker import Fill, Order, OrderKind, Statement
from training.strategy.series import Float
from training.validation.backtest.account import Account
from training.validation.backtest.account_state import AccountState
from training.validation.backtest.charges import order_charges
from training.validation.backtest.records import DELISTING, KINDS, TAKE_PROFIT, Record
from training.validation.backtest.setting import Setting
from training.validation.backtest.terms import at


class PaperBroker:
    """The simulated account of one step: fills in the symbol's next bar, at the costs of ``config.backtest``.

    It is a :class:`.Broker` whose memory is an :class:`.AccountState`: :attr:`state` is what the next one begins with.

    Parameters
    ----------
    setting
        Bars and rules; the last row is the bar in which orders are filled.
    state
        The account after the step before.
    """

    def __init__(self, setting: Setting, state: AccountState) -> None:
        self._setting, self._state = setting, state
        self._account: Account | None = None
        self._wanted = dict[str, float]()

    def statement(self, after: datetime | None, until: datetime) -> Statement:
        """Return the fills of the bar, and what positions and cash cost and earned."""
        row = len(self._setting.market.dates) - 1
        account = self._account = Account(self._setting, state=self._state)
        account.through(row)
        accrued = account.accrued
        return Statement(
            tuple(fill for record in account.records for fill in self._fills(record)),
            self._by_symbol(accrued.dividends),
            self._by_symbol(accrued.borrow),
            self._by_symbol(accrued.funding),
            accrued.interest,
        )

    def positions(self) -> Mapping[str, float]:
        """Return the units of each symbol."""
        return dict(zip(self._setting.market.symbols, self._newest.position.tolist(), strict=True))

    def cash(self) -> float:
        """Return the money of the account, without positions."""
        return self._newest.cash

    def submit(self, orders: Sequence[Order]) -> None:
        """Take orders for the next bar."""
        self._wanted |= {order.symbol: order.target for order in orders}

    @property
    def state(self) -> AccountState:
        """The account now."""
        found = self._newest
        wanted = found.wanted.copy()
        for symbol, units in self._wanted.items():
            wanted[self._setting.market.symbols.index(symbol)] = units
        return AccountState(found.cash, found.position, wanted, found.locked, found.is_closing)

    @property
    def _newest(self) -> AccountState:
        return self._state if self._account is None else self._account.state

    def _by_symbol(self, amounts: Float | None) -> dict[str, float]:
        if amounts is None:
            return {}
        return {self._setting.market.symbols[s]: float(amounts[s]) for s in np.flatnonzero(amounts)}

    def _fills(self, record: Record) -> list[Fill]:
        """Return the fills of a record, with their costs as the account paid them."""
        row, columns, code, _, quantity, reference = record
        terms = self._setting.terms
        unit = terms.fill_unit_value
        paid = quantity * reference if unit is None else quantity * reference * at(unit, row, columns)
        value = np.abs(paid)
        resting = np.ones(len(columns), bool) if code == TAKE_PROFIT else None
        costs = np.zeros((4, len(columns)))
        if code != DELISTING:
            for out, one in zip(costs, order_charges(terms, row, columns, quantity, value, resting), strict=True):
                out[:] = one
        moved = costs[:3].sum(axis=0)
        price = reference * (
            1.0 + np.sign(quantity) * np.divide(moved, value, out=np.zeros_like(moved), where=value > 0)
        )
        kind: OrderKind = KINDS[code]  # type: ignore[assignment]
        parts = zip(
            columns, quantity.tolist(), reference.tolist(), price.tolist(), paid.tolist(), *costs.tolist(), strict=True
        )
        return [Fill(self._setting.market.symbols[s], kind, *values) for s, *values in parts]
