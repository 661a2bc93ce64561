"""The account at the close of a bar, and the units that decisions make of its equity."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from serving.bot.broker import Broker, Statement
from serving.bot.state import BotState
from training.strategy.series import Float
from training.validation.backtest.setting import Setting
from training.validation.backtest.terms import on
from training.validation.backtest.units import unlocked, wanted_units


@dataclass(frozen=True, eq=False)
class AtClose:
    """The account at a close, before decisions; arrays are (S,).

    Attributes
    ----------
    statement
        What happened since the step before.
    position, cash, equity
        Units held, money, and the value of both.
    worth, value
        What a unit and what the position is worth.
    wanted, locked
        As in :class:`.AccountState`, after exits of the bar.
    is_closing
        Whether the account is ruined.
    """

    statement: Statement
    position: Float
    cash: float
    worth: Float
    value: Float
    equity: float
    wanted: Float
    locked: Float
    is_closing: bool


def at_close(state: BotState, setting: Setting, broker: Broker, instant: datetime) -> AtClose:
    """Return the account of a broker at the close of the last row of ``setting``."""
    statement = broker.statement(state.instant, instant)
    held, cash = broker.positions(), broker.cash()
    position = np.array([held.get(name, 0.0) for name in state.symbols])
    worth = setting.mark_value[-1]
    value = position * worth
    equity = cash + float(value.sum())
    wanted, locked = state.numbers["wanted"].copy(), state.numbers["locked"].copy()
    place = {name: s for s, name in enumerate(state.symbols)}
    for fill in statement.fills:
        if fill.kind in ("stop", "take_profit"):
            wanted[place[fill.symbol]], locked[place[fill.symbol]] = 0.0, -np.sign(fill.quantity)
    ruined = state.is_closing or equity <= 0.0
    return AtClose(statement, position, cash, worth, value, equity, wanted, locked, ruined)


def units_to_hold(weights: Float, closed: AtClose, setting: Setting) -> tuple[Float, Float]:
    """Return units to hold and locks (S,), as an account decides them."""
    if closed.is_closing:
        return np.zeros_like(closed.wanted), closed.locked
    lot = None if setting.terms.lot is None else on(setting.terms.lot, len(setting.market.dates) - 1)
    units = wanted_units(weights, (closed.equity, np.where(closed.worth > 0, closed.worth, 1.0)), lot)
    locked = closed.locked
    if setting.levels is not None:
        units, locked = unlocked(weights, units, locked)
    return np.where(np.isnan(weights), closed.wanted, units), locked
