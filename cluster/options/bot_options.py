"""Options of ``fleetcast bot`` as settings, and the bot that they describe."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import typer

from cluster.options.option_values import bars_named, check_store
from configs.errors import ConfigError
from configs.layers import Layer, of_option
from configs.load import load_config
from configs.schema import Config
from features.store.store import Store

if TYPE_CHECKING:
    from serving.bot.prediction_bot import MLPredictionBot
    from serving.bot.replay import ReplayResult
    from serving.bot.status import BotStatus
    from serving.journal.database import Journal
    from serving.journal.leases import Lease

_SHOWN_EVERY_S = 10.0
_TICK = timedelta(microseconds=1)
_FOLLOW_SCANS = ("fetch", "scan")  # the tasks whose period --every sets


def bot_config(
    file: str | None,
    strategy: str | None,
    every: str | None,
    tasks: Sequence[str] | None,
    overrides: Sequence[str] | None,
) -> Config:
    """Return the configuration of a bot; with ``tasks``, all others are off.

    Raises
    ------
    ConfigError
        As :func:`configs.load.load_config` does, or there is no such task.
    """
    from serving.bot.catalog import OFF, catalog, choose_task

    layers: list[str | Layer] = list(overrides or [])
    if strategy is not None:
        layers.append(of_option(f"--strategy {strategy}", "strategy.name", strategy))
    for name in _FOLLOW_SCANS if every is not None else ():
        layers.append(of_option(f"--every {every}", f"bot.schedules.{name}", f"every {every}"))
    if tasks:
        wanted = {choose_task(name).name for name in tasks}
        for name in catalog():
            if name not in wanted:
                layers.append(of_option(f"--task {' '.join(tasks)}", f"bot.schedules.{name}", OFF))
    return load_config(None, file, layers)


def open_bot(
    config: Config,
    store: str,
    database: str | None,
    bars: str | None,
    *,
    paper: bool = True,
    accept_terms: bool = False,
) -> MLPredictionBot:
    """Return the bot of a store.

    Raises
    ------
    StoreError
        There is no such store.
    ConfigError
        It is not to trade on paper: a broker has no command line.
    """
    from serving.bot.prediction_bot import MLPredictionBot
    from serving.newest_bars import BarsChoice

    if not paper:
        raise ConfigError(
            "--live needs a broker, and none that trades money is included. Write one (serving/bot/broker.py) and give "
            "it to MLPredictionBot(paper_mode=False, broker=...)."
        )
    check_store(Store(store), store)
    choice = BarsChoice([bars_named(bars)] if bars is not None else None)
    return MLPredictionBot(config=config, store=store, database=database, bars=choice, accept_terms=accept_terms)


def open_status(config: Config, store: str, database: str | None, name: str | None = None) -> BotStatus:
    """Return the status of a bot, by default that of ``bot.name``; its journal must exist.

    Raises
    ------
    BotError
        The journal has other bots only.
    """
    from serving.bot.known_bots import check_bot
    from serving.bot.status import read_status
    from serving.journal.opening import open_journal

    check_store(Store(store), store)
    bot = name or config.bot.name
    with open_journal(database, store, config.journal, create=False) as journal, journal.connect() as connection:
        check_bot(connection, bot)
        return read_status(connection, bot, datetime.now(UTC))


def replay_past(
    file: str | None,
    strategy: str | None,
    days: Sequence[date | None],
    walk_forward: str | None,
    version: str | None,
    database: str | None,
    store: str,
    overrides: Sequence[str] | None,
    broken_from: date | None = None,
) -> ReplayResult:
    """Replay the forecasts of a walk-forward run, or of a version's test period; see :class:`.Replay`."""
    from cluster.options.backtest_options import chosen_forecasts
    from cluster.options.option_values import interruptible
    from serving.bot.replay import Replay
    from training.registry.manager import ModelManager
    from training.registry.walk_forwards import LATEST, WalkForwards

    layers: list[str | Layer] = list(overrides or [])
    for option, path, day in zip(("--from", "--to"), ("start", "end"), days, strict=True):
        if day is not None:
            layers.append(of_option(f"{option} {day}", f"backtest.{path}", day.isoformat()))
    config = bot_config(file, strategy, None, None, layers)  # type: ignore[arg-type]
    place = Store(store)
    check_store(place, store)
    found = chosen_forecasts(place, walk_forward, version)
    names = dict[Any, str](
        dict.fromkeys(found.tables, WalkForwards(place).read(walk_forward or LATEST).name)
        if version is None
        else ModelManager(place).find_all(version)
    )
    replay = Replay(found, names, config, place, database, _day_by_day(), broken_from)
    dates = replay.feed.dates
    typer.echo(f"replaying {found.title}, {str(dates[0])[:10]} to {str(dates[-1])[:10]}", err=True)
    with interruptible("; run it again to go on from there"):
        return replay.run()


def _day_by_day() -> Callable[[Journal, Lease, datetime], None]:
    """Return what a replay calls after each day: it prints the day to stderr every ten seconds."""
    printed = time.monotonic()

    def show(journal: Journal, lease: Lease, now: datetime) -> None:
        nonlocal printed
        if time.monotonic() >= printed + _SHOWN_EVERY_S:
            printed = time.monotonic()
            typer.echo(f"  {now - _TICK:%Y-%m-%d}", err=True)  # the bars of a day can be complete at midnight

    return show
