"""From records of fills to cash, equity and costs: nothing else of a path is needed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from training.validation.backtest.charges import (
    OrderCharges,
    borrow_charge,
    funding_charge,
    interest_charge,
    order_charges,
)
from training.validation.backtest.market import Float, Market
from training.validation.backtest.records import DELISTING, LIMIT, TAKE_PROFIT, Fills
from training.validation.backtest.terms import Terms, at

_ORDERS = 16_384  # at a time, for the same reason
_CHUNK = 64  # rows at a time: matrices of some hundred symbols stay in the cache


class Ledger(NamedTuple):
    """An account through time. Amounts are money of the account.

    ``cash equity gross net`` (T,) at each close and ``traded`` (T,) of the bar; ``value``, ``paid`` (signed) and
    ``charges`` of orders (n,); ``borrow funding interest dividends`` (T,); ``held_costs`` (S, 2) are borrow and
    funding, ``dividends_by_symbol`` and ``final_value`` (S,).
    """

    cash: Float
    equity: Float
    traded: Float
    gross: Float
    net: Float
    value: Float
    paid: Float
    charges: OrderCharges
    borrow: Float
    funding: Float
    held_costs: Float
    interest: Float
    dividends: Float
    dividends_by_symbol: Float
    final_value: Float


def positions_of(fills: Fills, shape: tuple[int, int]) -> Float:
    """Return the units held at each close (T, S), rebuilt from fills."""
    held = np.zeros(shape)
    np.add.at(held, (fills.row, fills.column), fills.quantity)
    return np.asarray(np.cumsum(held, axis=0))


def ledger(fills: Fills, held: Float, market: Market, mark_value: Float, terms: Terms, cash: float) -> Ledger:
    """Return the account that these fills lead to.

    Parameters
    ----------
    held
        Units held at each close (T, S), as :func:`positions_of` gives them.
    mark_value
        Money that a unit is worth at each close (T, S).
    cash
        Money before the first bar.
    """
    instants, symbols = market.shape
    unit = terms.fill_unit_value
    paid = fills.quantity * fills.reference
    if unit is not None:
        paid = paid * at(unit, fills.row, fills.column)
    value = np.abs(paid)
    charges = _charges(fills, value, terms)
    flow = paid.copy()
    for one in charges:
        flow += one
    spent = np.bincount(fills.row, weights=flow, minlength=instants)
    traded = np.asarray(np.bincount(fills.row, weights=value, minlength=instants), np.float64)

    bars = None if market.has_bar.all() else market.has_bar
    net, gross, margined = (np.empty(instants) for _ in range(3))
    borrow, funding, by_symbol = np.zeros(instants), np.zeros(instants), np.zeros((symbols, 2))
    all_financed = bool(terms.financed.all())
    for start in range(0, instants, _CHUNK):
        rows = slice(start, min(start + _CHUNK, instants))
        worth = held[rows] * mark_value[rows]
        net[rows] = worth.sum(axis=1)
        gross[rows] = np.abs(worth).sum(axis=1)
        margined[rows] = 0.0 if all_financed else worth @ (1.0 - terms.financed)
        mask = None if bars is None else bars[rows]
        fees = (borrow_charge(terms, rows, worth, mask), funding_charge(terms, rows, worth, mask))
        for k, (series, fee) in enumerate(zip((borrow, funding), fees, strict=True)):
            if fee is not None:
                series[rows] = fee.sum(axis=1)
                by_symbol[:, k] += fee.sum(axis=0)
    dividends, by_name = _dividends(held, market, terms)
    outside = dividends - spent
    balance, interest = _cash(cash, outside, borrow + funding, margined, terms)
    return Ledger(
        cash=balance,
        equity=balance + net,
        traded=traded,
        gross=gross,
        net=net,
        value=value,
        paid=paid,
        charges=charges,
        borrow=borrow,
        funding=funding,
        held_costs=by_symbol,
        interest=interest,
        dividends=dividends,
        dividends_by_symbol=by_name,
        final_value=held[-1] * mark_value[-1],
    )


def _charges(fills: Fills, value: Float, terms: Terms) -> OrderCharges:
    resting = (fills.kind == LIMIT) | (fills.kind == TAKE_PROFIT)
    rests = bool(resting.any())
    costs = np.zeros((4, len(value)))
    for start in range(0, len(value), _ORDERS):
        part = slice(start, start + _ORDERS)
        passive = resting[part] if rests else None
        charges = order_charges(terms, fills.row[part], fills.column[part], fills.quantity[part], value[part], passive)
        for out, one in zip(costs, charges, strict=True):
            out[part] = one
    costs[:, fills.kind == DELISTING] = 0.0
    return OrderCharges(*costs)


def _dividends(held: Float, market: Market, terms: Terms) -> tuple[Float, Float]:
    if market.dividends is None:
        return np.zeros(len(held)), np.zeros(held.shape[1])
    paid = np.zeros_like(held)
    paid[1:] = held[:-1] * market.dividends[1:]
    if terms.unit_value is not None:
        paid = paid * terms.unit_value
    return paid.sum(axis=1), paid.sum(axis=0)


def _cash(cash: float, flow: Float, fees: Float, margined: Float, terms: Terms) -> tuple[Float, Float]:
    """Return cash (T,) after each close, and the interest (T,) that it cost."""
    interest = np.zeros(len(flow))
    if terms.earned is None and terms.charged is None:
        return cash + np.cumsum(flow - fees), interest
    balance = np.empty(len(flow))
    for t, (change, fee, extra) in enumerate(zip(flow.tolist(), fees.tolist(), margined.tolist(), strict=True)):
        interest[t] = interest_charge(terms, t, cash + change + extra)
        cash += change - fee - interest[t]
        balance[t] = cash
    return balance, interest
