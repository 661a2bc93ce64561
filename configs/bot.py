"""Settings of the trading bot."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from configs.values import Fraction, Frozen, Positive

OnLoss = Literal["reduce", "close"]


class ProtectionConfig(Frozen):
    """What stops the bot from opening positions. None is on by default, but for the file of the kill switch."""

    daily_loss: Fraction | None = None
    """Share of the equity of the day before whose loss stops trading until the next day; null means no limit."""
    drawdown: Fraction | None = None
    """Loss from the highest equity that stops trading for ``cool_down`` days; it is then measured from the equity at
    which trading goes on. Null means no limit."""
    stops: Positive | None = None
    """Stop losses within ``stops_days`` that stop trading for ``cool_down`` days; null means no limit."""
    stops_days: Annotated[int, Field(ge=1, le=10_000)] = 5
    """Days with bars over which stop losses are counted, the newest included."""
    cool_down: Annotated[int, Field(ge=1, le=10_000)] = 5
    """Days with bars for which trading stays stopped after a drawdown or a series of stop losses."""
    max_orders: Positive | None = None
    """Most orders of a scan that open or enlarge a position, the largest first; the others are dropped. Null means no
    limit. Orders that reduce a position are never limited."""
    action: OnLoss = "reduce"
    """While trading is stopped: ``reduce`` keeps positions and allows orders that reduce them only, ``close`` also
    closes every position in its next bar."""
    kill_switch: str | None = "kill-switch"
    """File, in the folder of a local store unless it is absolute, whose existence stops trading until it is removed;
    with the text ``close`` in it, positions are closed. Null means none."""


class DelistingConfig(Frozen):
    """The end of a symbol."""

    day: date
    """First day without a bar: on it, the position is settled in cash."""
    value: Annotated[float, Field(ge=-1.0, le=10.0)] = -1.0
    """Return from the last close to the settlement; -1 is a total loss."""


class BotConfig(Frozen):
    """The trading bot. Its strategy is ``strategy``, and its paper account has the costs of ``backtest``."""

    protections: ProtectionConfig = ProtectionConfig()
    delisted: dict[str, DelistingConfig] = Field(default_factory=dict)
    """Symbols that were delisted; without an entry, a position in one keeps its last price."""
