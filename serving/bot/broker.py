"""What the bot needs of a broker. A paper broker is in :mod:`serving.bot.paper`; none that trades money is included."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol, runtime_checkable

OrderKind = Literal["market", "stop", "take_profit", "delisting"]
OrderState = Literal["open", "filled", "part", "cancelled"]
"""``part`` is filled in part and open; a cancelled order may be filled in part."""
_NAMESPACE = uuid.UUID("2f6c9a52-5d0f-5c0e-8a0c-6b1f0a7d3e11")


def order_id(bot: str, symbol: str, decided: datetime, kind: str) -> str:
    """Return the id of an order: the same whenever the same decision is made again, so that no order is sent twice."""
    return str(uuid.uuid5(_NAMESPACE, f"{bot}\0{symbol}\0{decided.isoformat()}\0{kind}"))


@dataclass(frozen=True, slots=True)
class Order:
    """An order decided at a close, for the symbol's next bar.

    Parameters
    ----------
    id
        Of :func:`order_id`. A broker that has seen it accepts it and does nothing.
    target
        Units to hold when it is filled; ``quantity``, negative for a sale, is what is missing from the position.
    stop, take_profit
        Prices at which the position is closed; None for none.
    reason
        Why, in words; empty for a decision of the strategy.
    """

    id: str
    symbol: str
    quantity: float
    target: float
    stop: float | None = None
    take_profit: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Fill:
    """A filled order, or a part of one.

    ``reference`` is the price before costs and ``price`` the one after spread, slippage and impact, both in the
    symbol's currency. ``paid`` is the signed value at the reference price; it and the costs are money of the account.
    """

    symbol: str
    kind: OrderKind
    quantity: float
    reference: float
    price: float
    paid: float
    spread: float = 0.0
    slippage: float = 0.0
    impact: float = 0.0
    commission: float = 0.0

    @property
    def costs(self) -> float:
        """The sum of the costs."""
        return self.spread + self.slippage + self.impact + self.commission


@dataclass(frozen=True, slots=True)
class Statement:
    """What happened to an account between two steps: fills, and by symbol the money that was paid or received.

    ``dividends`` are received, ``borrow`` and ``funding`` paid; ``interest`` is paid on cash, negative if earned.
    """

    fills: tuple[Fill, ...] = ()
    dividends: Mapping[str, float] = field(default_factory=dict)
    borrow: Mapping[str, float] = field(default_factory=dict)
    funding: Mapping[str, float] = field(default_factory=dict)
    interest: float = 0.0


@runtime_checkable
class Broker(Protocol):
    """An account at a broker.

    A step of the bot calls :meth:`statement`, :meth:`positions` and :meth:`cash`. Its orders are submitted after they
    are in the journal; after a crash, those that are still open there are submitted again. So :meth:`submit` must be
    idempotent by :attr:`Order.id`.
    """

    def statement(self, after: datetime | None, until: datetime) -> Statement:
        """Return what happened after the step of one instant, None for the first step, and up to another.

        It may be asked for again: a step that was not written is made once more.
        """

    def positions(self) -> Mapping[str, float]:
        """Return the units held by symbol; symbols without a position may be missing."""

    def cash(self) -> float:
        """Return the money of the account, without positions."""

    def submit(self, orders: Sequence[Order]) -> None:
        """Send orders. One of a symbol replaces its former orders, and its levels those of the position."""
