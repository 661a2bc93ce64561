"""One step of the bot: a pure function of what was before, the bars and the forecasts."""

from __future__ import annotations

from datetime import datetime

from configs.schema import Config
from serving.bot.broker import Broker
from serving.bot.record import Record
from serving.bot.result import StepResult
from serving.bot.state import BotState
from training.validation.backtest.market import Market


def open_state(bot: str, bars: Market, config: Config, *, bars_per_year: float | None = None) -> BotState:
    """Return the state of a bot whose first step is that of the newest bar.

    Parameters
    ----------
    bars_per_year
        By which yearly costs are divided for ever; by default, that of the bars.
    """
    raise NotImplementedError


def step(
    state: BotState,
    bars: Market,
    record: Record,
    config: Config,
    instant: datetime,
    *,
    broker: Broker | None = None,
    kill_switch: str | None = None,
) -> StepResult:
    """Return all that follows from the close of the newest bar.

    Fills of the orders decided before, stops and targets reached in the bar, signals, new orders, positions and the
    account; nothing is written. The same arguments give the same result, bit for bit.

    Parameters
    ----------
    state
        That of the step before, or of :func:`open_state`.
    bars
        All closed bars up to the instant, from before the first forecast on; the last row is the bar of this step, and
        the row before it that of the step before.
    record
        All forecasts up to this bar.
    instant
        When the bar closed (aware).
    broker
        The account; by default the paper broker, which is part of ``state``.
    kill_switch
        The content of the file of the kill switch; None if there is none.

    Raises
    ------
    BotError
        Steps of earlier bars are missing, or the bar's step is in ``state`` already.
    """
    raise NotImplementedError
