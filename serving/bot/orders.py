"""Orders of a step: what the fills did to those that were open, and which are new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np

from serving.bot.broker import Fill, Order, order_id
from serving.bot.state import BotState, OpenOrder
from training.strategy.series import Float

_ROUNDING = 1e-12  # of a position: what an account does not trade either


class When(NamedTuple):
    """The bot, the close of a step, and the date of its bars, both aware."""

    bot: str
    instant: datetime
    bar_date: datetime


class Booked(NamedTuple):
    """Rows of fills and of orders that changed, and by symbol the orders that are still open."""

    fill_rows: tuple[dict[str, Any], ...]
    order_rows: tuple[dict[str, Any], ...]
    open: Mapping[str, OpenOrder]


def book_fills(state: BotState, fills: Sequence[Fill], when: When) -> Booked:
    """Return what fills are of which orders, given the state before them."""
    held = dict(zip(state.symbols, state.numbers["position"].tolist(), strict=True))
    is_open = dict(state.orders)
    orders: dict[str, dict[str, Any]] = {}
    rows: list[dict[str, Any]] = []
    for fill in fills:
        order = is_open.get(fill.symbol) if fill.kind == "market" else None
        if order is None:  # a stop or target, or an order that the broker knew only
            order = _new(fill.symbol, fill.kind, fill.quantity, fill.quantity, "", when)
        rows.append(
            {
                "id": order_id(when.bot, fill.symbol, when.instant, f"fill of {order.id}"),
                "order_id": order.id,
                **_when(fill.symbol, when),
                **{name: getattr(fill, name) for name in _OF_FILL},
            }
        )
        held[fill.symbol] += fill.quantity
        if fill.kind != "market" or is_done(order.target - held[fill.symbol], held[fill.symbol]):
            changed = replace(order, state="filled")
            is_open.pop(fill.symbol, None) if fill.kind == "market" else None
        else:
            changed = is_open[fill.symbol] = replace(order, state="part")
        orders[order.id] = _row(changed, fill.symbol, fill.kind, when.bot)
    return Booked(tuple(rows), tuple(orders.values()), is_open)


def new_orders(
    state: BotState,
    is_open: Mapping[str, OpenOrder],
    changed: Float,
    reasons: Mapping[int, tuple[str, ...]],
    when: When,
) -> tuple[tuple[Order, ...], tuple[dict[str, Any], ...], dict[str, OpenOrder]]:
    """Return orders to submit, rows of orders that are new or cancelled, and the orders that are open now.

    Parameters
    ----------
    state
        After the decisions: positions, units to hold, and levels.
    changed : (S,)
        Where units to hold were decided anew, so that an open order is replaced.
    reasons
        Of protections, by column.
    """
    submitted: list[Order] = []
    rows: list[dict[str, Any]] = []
    left: dict[str, OpenOrder] = {}
    numbers = state.numbers
    for s, symbol in enumerate(state.symbols):
        order = is_open.get(symbol)
        target, position = float(numbers["wanted"][s]), float(numbers["position"][s])
        missing = 0.0 if is_done(target - position, position) else target - position
        if order is not None and (missing == 0.0 or (changed[s] and order.target != target)):
            rows.append(_row(replace(order, state="cancelled"), symbol, "market", when.bot))
            order = None
        levels = _number(numbers["stop"][s]), _number(numbers["take_profit"][s])
        if order is None and missing != 0.0:
            reason = ", ".join(reasons.get(s, ()))
            order = _new(symbol, "market", missing, target, reason, when)
            rows.append(_row(order, symbol, "market", when.bot))
            submitted.append(Order(order.id, symbol, missing, target, *levels, reason))
        elif position and levels != (None, None):
            moved = order_id(when.bot, symbol, when.instant, "levels")
            submitted.append(Order(moved, symbol, 0.0 if order is None else missing, target, *levels))
        if order is not None:
            left[symbol] = order
    return tuple(submitted), tuple(rows), left


def orders_of(state: BotState) -> tuple[Order, ...]:
    """Return the orders that the step of this state submitted, to submit them again after a crash."""
    assert state.instant is not None
    found: list[Order] = []
    for s, symbol in enumerate(state.symbols):
        order, position = state.orders.get(symbol), float(state.numbers["position"][s])
        levels = _number(state.numbers["stop"][s]), _number(state.numbers["take_profit"][s])
        if order is not None and order.decided == state.instant.isoformat():
            found.append(Order(order.id, symbol, order.quantity, order.target, *levels, order.reason))
        elif position and levels != (None, None):
            target = float(state.numbers["wanted"][s])
            moved = order_id(state.bot, symbol, state.instant, "levels")
            found.append(Order(moved, symbol, 0.0 if order is None else target - position, target, *levels))
    return tuple(found)


_OF_FILL = ("quantity", "price", "spread", "slippage", "impact", "commission")


def is_done(missing: float, position: float) -> bool:
    """Return whether what is missing to the units wanted is only a rounding error of the position."""
    return abs(missing) <= _ROUNDING * abs(position)


def _new(symbol: str, kind: str, quantity: float, target: float, reason: str, when: When) -> OpenOrder:
    found = order_id(when.bot, symbol, when.instant, kind)
    return OpenOrder(found, when.instant.isoformat(), when.bar_date.isoformat(), quantity, target, reason, "open")


def _row(order: OpenOrder, symbol: str, kind: str, bot: str) -> dict[str, Any]:
    return {
        "id": order.id,
        "bot": bot,
        "symbol": symbol,
        "bar_date": datetime.fromisoformat(order.bar_date),
        "bar_close": datetime.fromisoformat(order.decided),
        "kind": kind,
        "quantity": order.quantity,
        "reason": order.reason or None,
        "state": order.state,
    }


def _when(symbol: str, when: When) -> dict[str, Any]:
    return {"bot": when.bot, "symbol": symbol, "bar_date": when.bar_date, "bar_close": when.instant}


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
