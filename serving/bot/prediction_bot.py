"""The bot as one object: scans, paper trading, retraining."""

from __future__ import annotations

import os
from contextlib import ExitStack, nullcontext
from datetime import datetime
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Any, Self

from configs.errors import ConfigError, require
from configs.load import config_or
from configs.schema import Config
from features.store.store import Store, open_store
from serving.bot.broker import Broker
from serving.bot.catalog import catalog, schedules
from serving.bot.champions import Champions
from serving.bot.runner import Ended, Runner
from serving.bot.scanner import Scanner
from serving.bot.status import BotStatus, bot_status, newest_signals
from serving.bot.task import TaskSpec
from serving.bot.task_services import Clock, Cluster, Services, utc_now
from serving.bot.tasks.retraining import train_again
from serving.journal.opening import open_journal
from serving.monitoring.metrics import BotMetrics, metrics_server
from serving.newest_bars import USUAL, BarsChoice
from training.registry.manager import ModelManager

_SCAN = "scan"


class MLPredictionBot:
    """Scans closed bars, turns forecasts into signals, trades them on paper, and keeps a journal of all of it.

    Parameters
    ----------
    paper_mode
        Whether a simulated account trades, with the costs of ``config.backtest``. False needs a ``broker``.
    config
        Settings, by default those of the preset ``demo``; the sections ``bot``, ``strategy``, ``backtest``, ``alerts``,
        ``monitoring`` and ``retrain`` are used.
    store
        A store, or its path or URI; by default ``FLEETCAST_STORE`` or ``.fleetcast``.
    database
        URL of the journal; by default ``FLEETCAST_DATABASE``, or ``journal.db`` in the store's folder.
    broker
        An account at a broker, in place of the simulated one.
    bars
        Where to read bars in place of the lake.
    clock, cluster
        As for :class:`.Services`.
    accept_terms
        Whether the account may go on under other costs, lots or prices of fills than it has. The journal records the
        change with the first step under them.

    Raises
    ------
    ConfigError
        ``paper_mode`` is False and there is no broker, or both trade.
    DatabaseError
        The journal cannot be opened.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> from configs import load_config
    >>> from training import ModelTrainer
    >>> trainer = ModelTrainer(load_config("smoke"), store=mkdtemp())
    >>> _ = trainer.train_multi_asset_models(["AAPL", "IBM"])
    >>> with MLPredictionBot(paper_mode=True, store=trainer.store) as bot:
    ...     bot.run_scan()  # the embedded bars end in 2018: nothing is traded on them
    []
    """

    def __init__(
        self,
        paper_mode: bool = True,
        *,
        config: Config | None = None,
        store: Store | str | os.PathLike[str] | None = None,
        database: str | None = None,
        broker: Broker | None = None,
        bars: BarsChoice = USUAL,
        clock: Clock = utc_now,
        cluster: Cluster = nullcontext,
        accept_terms: bool = False,
    ) -> None:
        require(paper_mode, bool, "paper_mode", "True or False")
        if not paper_mode and broker is None:
            raise ConfigError(
                "paper_mode is False and there is no broker; none that trades money is included. Give one as broker=, "
                "or use paper_mode=True."
            )
        if paper_mode and broker is not None:
            raise ConfigError("paper_mode is True and a broker is given. Give paper_mode=False to trade through it.")
        self.config = config_or(config, "MLPredictionBot", "demo")
        self.store = open_store(store)
        manager = ModelManager(self.store)
        schedules(self.config.bot.schedules)
        self.journal = open_journal(database, self.store, self.config.journal)
        self._feed = Champions(manager, self.config, bars)
        scanner = Scanner(
            self._feed,
            self.journal,
            self.config.bot.name,
            broker=broker,
            kill_switch=lambda: self._kill_switch(),
            accept_terms=accept_terms,
        )
        self.metrics, self.scan_summary = BotMetrics(), ""
        self.services = Services(self.config, manager, self.journal, scanner, clock, cluster, self.metrics)
        self.runner = Runner(self.services, list(catalog().values()), schedules(self.config.bot.schedules))

    def run_scan(self) -> list[dict[str, Any]]:
        """Make the steps of the bars that have closed, and return the signals of the newest step, one a symbol.

        Each is a dictionary of :class:`training.strategy.Signal` with ``symbol``, ``action`` and ``confidence``.
        Without a new bar they are those of before; without a step yet there are none. ``scan_summary`` then says what
        was done, and which symbols are not traded, with a reason.

        Raises
        ------
        ClusterError
            Another process runs this bot.
        ConfigError
            The account has other terms than the settings.
        FleetcastError
            Models, bars or the journal cannot be read.
        """
        self.scan_summary = self._once(_SCAN)
        return newest_signals(self.journal, self.config.bot.name)

    def retrain_models(self, force_retrain: bool = False) -> str:
        """Train the models that are due, or all with ``force_retrain``, and return what was done in words.

        A new version is promoted by the gate of every training.

        Raises
        ------
        ModelError
            There is no champion to train again, or a kind could not be trained.
        """
        require(force_retrain, bool, "force_retrain", "True or False")
        return train_again(self.services, force=force_retrain)

    def run(self, stop: Event) -> tuple[str, ...]:
        """Run all tasks on their schedules until ``stop`` is set, and serve metrics if ``monitoring`` names a port.

        Return the tasks that did not finish within some seconds after ``stop``; they still run.

        Raises
        ------
        ConfigError
            The account has other terms than the settings.
        """
        settings = self.config.monitoring
        if _SCAN in schedules(self.config.bot.schedules):
            self.services.scanner.check_terms()
        self.metrics.heartbeat(self.services.clock(), is_leader=False)
        with ExitStack() as end:
            if settings.metrics_port is not None:
                end.enter_context(metrics_server(self.metrics, settings.metrics_host, settings.metrics_port))
            return self.runner.run(stop)

    def run_once(self, tasks: list[TaskSpec]) -> list[Ended]:
        """Run each of these tasks once, in order; ``ConfigError`` if the account has other terms than the settings."""
        if any(task.name == _SCAN for task in tasks):
            self.services.scanner.check_terms()
        return self.runner.once(tasks)

    def status(self, now: datetime | None = None) -> BotStatus:
        """Return whether the bot lives, and what it holds."""
        return bot_status(self.journal, self.config.bot.name, now or self.services.clock())

    def close(self) -> None:
        """Close the journal, and end the process that helps to featurise."""
        self._feed.close()
        self.journal.close()

    def __enter__(self) -> Self:
        """Return the bot; leaving the context closes it."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close the bot."""
        self.close()

    def _once(self, name: str) -> str:
        (ended,) = self.run_once([catalog()[name]])
        if ended.error is not None:
            raise ended.error
        return ended.text

    def _kill_switch(self) -> str | None:
        """Return the content of the kill switch's file; None if there is none."""
        file = self.config.bot.protections.kill_switch
        if file is None or not (self.store.is_local or Path(file).is_absolute()):
            return None
        try:
            return (Path(self.store.root) / file).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except OSError:  # a file that cannot be read is there
            return ""
