"""What a step decided, as rows of the journal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from serving.bot.broker import Order
from serving.bot.state import BotState


@dataclass(frozen=True, slots=True)
class StepAlert:
    """Something to report: the arguments of an alert without bot and time; ``is_over`` ends the one of this key."""

    event: str
    key: str
    title: str
    body: str = ""
    data: Mapping[str, Any] | None = None
    is_over: bool = False


@dataclass(frozen=True, slots=True)
class StepResult:
    """All rows of a step.

    Attributes
    ----------
    bot, instant, bar_date
        Whose step, the close, and the date of its bars (aware).
    strategy
        The name of the strategy.
    state
        From which the next step goes on.
    signals
        One a symbol, with the fields of :class:`training.strategy.Signal` but ``as_of``: ``symbol``, ``action``,
        ``direction``, ``confidence``, ``strength``, ``position_size``, ``stop``, ``take_profit``, ``volatility``,
        ``regime`` and ``reasons``.
    planned
        Shares of equity that the orders decided before lead to, by symbol; a position without an order is its own.
    orders
        To be submitted to a broker. One of quantity 0 only moves the levels of a position.
    order_rows, fill_rows, position_rows, account_row
        With the columns of the journal's tables. An order row replaces an earlier one of the same id.
    alerts
        On protections.
    notes
        Interest, protections, and changes of prices of the past, as JSON.
    """

    bot: str
    instant: datetime
    bar_date: datetime
    strategy: str
    state: BotState
    signals: tuple[dict[str, Any], ...]
    planned: Mapping[str, float]
    orders: tuple[Order, ...]
    order_rows: tuple[dict[str, Any], ...]
    fill_rows: tuple[dict[str, Any], ...]
    position_rows: tuple[dict[str, Any], ...]
    account_row: dict[str, Any]
    alerts: tuple[StepAlert, ...]
    notes: dict[str, Any]
