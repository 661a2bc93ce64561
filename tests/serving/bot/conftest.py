"""Fixtures of the bot's tests: services for tasks that need no models, and bots on a lake that grows."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from configs.schema import Config
from features.store.lake import Lake
from serving import MLPredictionBot
from serving.bot.task_services import Services
from training.registry.manager import ModelManager


@pytest.fixture
def make_services(journal: Any, tmp_path: Any) -> Callable[..., Services]:
    """Return a function that makes services without a scanner, with other settings of the section ``bot``."""

    def make(clock: Any = None, **settings: Any) -> Services:
        config = Config.model_validate({"bot": {"lease_s": 10.0, "retry_s": 0.05, **settings}})
        more = {} if clock is None else {"clock": clock}
        return Services(config, ModelManager(tmp_path / "store"), journal, scanner=None, **more)

    return make


SYMBOLS = ("AAA", "BBB", "CCC", "DDD", "EEE")


class Clock:
    """A time that a test sets."""

    def __init__(self, bars) -> None:
        self.to(bars)

    def to(self, bars, **later) -> None:
        end = bars.dates[-1].astype("datetime64[us]").item().replace(tzinfo=UTC)
        self.now = end + timedelta(days=1) + timedelta(**later)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock(bars_of) -> Clock:
    return Clock(bars_of("AAA", 480))


@pytest.fixture
def grow(store, bars_of, clock):
    """Import more bars of all symbols but some, and set the clock to their close."""

    def grow(count: int, without: tuple[str, ...] = ()) -> None:
        for symbol in SYMBOLS:
            if symbol not in without:
                Lake(store).append(bars_of(symbol, count))
        clock.to(bars_of("AAA", count))

    return grow


@pytest.fixture
def make_bot(store, clock):
    bots: list[MLPredictionBot] = []

    def make(paper_mode=True, broker=None, sections=None, more=None, **bot) -> MLPredictionBot:
        """Return a bot with these settings of ``bot`` and of other ``sections``, and ``more`` arguments."""
        config = Config.model_validate({"bot": {"wait_s": 3600.0, **bot}, **(sections or {})})
        given = {"config": config, "store": store, "clock": clock, "broker": broker}
        bots.append(MLPredictionBot(paper_mode, **given, **(more or {})))
        return bots[-1]

    yield make
    for bot in bots:
        bot.close()
