"""Settings of the trading bot."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from configs.values import Fraction, Frozen, Positive, Seconds

OnLoss = Literal["reduce", "close"]
_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,59}$")]


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


class FetchConfig(Frozen):
    """Where new bars are fetched from into the lake."""

    source: str | None = None
    """``yahoo``, or a file, a folder or a glob of bars; null fetches nothing: the lake is filled by another process."""
    symbols: tuple[str, ...] = ()
    """What to fetch; empty means the symbols of the lake, and without a lake those of the models."""
    start: date = date(2000, 1, 1)
    """First day of symbols that the lake does not have yet."""
    overlap_days: Annotated[int, Field(ge=1, le=10_000)] = 10
    """Days before the newest stored bar that are fetched again, because sources revise bars and adjusted prices get a
    new basis at a split or dividend."""


class BotConfig(Frozen):
    """The trading bot. Its strategy is ``strategy``, and its paper account has the costs of ``backtest``."""

    name: _Name = "paper"
    """Its name in the journal. Bots with different names trade different accounts; of two with the same name one works
    and the other waits."""
    schedules: dict[str, str] = Field(default_factory=dict)
    """When tasks run, by name: ``every 10m``; the five fields of cron and a time zone, such as
    ``30 16 * * mon-fri America/New_York``; or ``off``. Tasks that are not named keep their own schedule."""
    symbols: tuple[str, ...] = ()
    """What it trades; empty means every symbol that has a model."""
    wait_s: Annotated[float, Field(ge=0.0, le=604_800.0)] = 3_600.0
    """Seconds after a bar was due for which a scan waits for symbols that do not have it yet. Then the others go on."""
    history_bars: Annotated[int, Field(ge=250, le=1_000_000)] = 2_500
    """Bars of each symbol that forecasts are made from."""
    missed_s: Annotated[float, Field(ge=0.0, le=31_622_400.0)] = 3_600.0
    """Seconds without a run after which runs that were missed are a warning in the log, and missed scans the alert
    ``missed_scans``. After a bot was stopped on purpose there is none."""
    lease_s: Annotated[float, Field(ge=1.0, le=3_600.0)] = 30.0
    """Seconds after which another bot of this name takes over from one that does not answer."""
    retry_s: Seconds = 30.0
    """Seconds before a task that failed is tried again; they double with each failure."""
    longest_retry_s: Seconds = 900.0
    """Most seconds before a task that failed is tried again."""
    fetch: FetchConfig = FetchConfig()
    protections: ProtectionConfig = ProtectionConfig()
    delisted: dict[str, DelistingConfig] = Field(default_factory=dict)
    """Symbols that were delisted; without an entry, a position in one keeps its last price."""
