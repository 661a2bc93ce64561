"""Profit by symbol: realised at average cost, unrealised, and costs; with interest, their sum is the account's."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from serving.bot.broker import Fill, Statement
from serving.bot.state import BotState
from training.strategy.series import Float


class Profits(NamedTuple):
    """By symbol (S,), since the bot began, in money of the account.

    ``basis`` is the signed money that the units held were bought (or sold) for at prices before costs, ``realised`` the
    profit of closed units and dividends before costs, and ``costs`` what orders and positions cost. The value of a
    position minus its basis is unrealised. Realised plus unrealised minus costs, summed over symbols and less the
    interest paid, is the change of equity.
    """

    basis: Float
    realised: Float
    costs: Float


def profits_after(state: BotState, statement: Statement) -> Profits:
    """Return the profits after a statement, of an account with the positions of ``state`` before it."""
    one = state.numbers
    found = Profits(one["basis"].copy(), one["realised"].copy(), one["costs"].copy())
    place = {name: s for s, name in enumerate(state.symbols)}
    units = dict(zip(state.symbols, one["position"].tolist(), strict=True))
    for fill in statement.fills:
        s = place[fill.symbol]
        held = units[fill.symbol]
        units[fill.symbol] = held + fill.quantity
        basis, realised = _booked(float(found.basis[s]), held, fill)
        found.basis[s] = basis
        found.realised[s] += realised
        found.costs[s] += fill.costs
    for symbol, paid in statement.dividends.items():
        found.realised[place[symbol]] += paid
    for charges in (statement.borrow, statement.funding):
        for symbol, paid in charges.items():
            found.costs[place[symbol]] += paid
    return found


def unrealised(value: Float, profits: Profits) -> Float:
    """Return the profit (S,) of positions of these values that are still open."""
    return np.asarray(value - profits.basis)


def _booked(basis: float, held: float, fill: Fill) -> tuple[float, float]:
    """Return the basis after a fill, and the profit that it realised."""
    if held * fill.quantity >= 0.0:
        return basis + fill.paid, 0.0
    closed = min(abs(fill.quantity / held), 1.0)  # share of the position
    of_fill = min(abs(held / fill.quantity), 1.0)  # share of the order that closes; the rest opens the other side
    spent = closed * basis
    opened = 0.0 if of_fill == 1.0 else (1.0 - of_fill) * fill.paid
    rest = 0.0 if closed == 1.0 else basis - spent
    return rest + opened, -(fill.paid - opened) - spent
