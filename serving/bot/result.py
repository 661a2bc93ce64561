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
    """Something to report: the arguments of an alert without bot and time."""

    event: str
    key: str
    title: str
    body: str = ""
    data: Mapping[str, Any] | None = None
    is_over: bool = False


@dataclass(frozen=True, slots=True)
class StepResult:
    """All rows of a step.

    ``signals`` are dictionaries of :class:`training.strategy.Signal`, one a symbol, with ``confidence`` and ``action``;
    ``orders`` to submit to a broker; the other rows have the columns of the journal's tables.
    """

    bot: str
    instant: datetime
    state: BotState
    signals: tuple[dict[str, Any], ...]
    orders: tuple[Order, ...]
    order_rows: tuple[dict[str, Any], ...]
    fill_rows: tuple[dict[str, Any], ...]
    position_rows: tuple[dict[str, Any], ...]
    account_row: dict[str, Any]
    alerts: tuple[StepAlert, ...]
    notes: dict[str, Any]
