"""Replay: the bot's own steps over past bars, day by day, next to a backtest of the same forecasts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import func, select

from configs.errors import ClusterError, ConfigError
from configs.load import config_hash
from configs.schema import Config
from configs.values import Kind
from features.store.store import Store
from serving.bot.leader import Leader, lease_name
from serving.bot.memory import past_of
from serving.bot.past import PastFeed
from serving.bot.replay_skill import ReplaySkill, replay_skill
from serving.bot.scanner import Scanner
from serving.journal.database import Journal, open_journal
from serving.journal.leases import Lease, acquire
from serving.journal.schema import accounts, fills
from training.backtesting.forecasts import OutOfSample, view_of
from training.strategy.pipeline import decide

_FOLDER = "replays"


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """What a replay did.

    Attributes
    ----------
    first, last, days
        The first and last date, and how many there are.
    equity, backtest_equity
        Of the last day.
    difference
        Largest difference of equity to the backtest's on any day, in money.
    fills
        Orders that were filled, in whole or in part.
    models
        The dates from which other models forecast, by kind.
    skill
        Live skill and alarms by kind, next to the backtest's.
    seconds
        How long it took, of this call.
    journal
        URL of its journal.
    """

    bot: str
    title: str
    first: str
    last: str
    days: int
    equity: float
    backtest_equity: float
    difference: float
    fills: int
    models: Mapping[str, Mapping[str, str]]
    skill: Mapping[str, ReplaySkill]
    seconds: float
    journal: str

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return asdict(self)


class Replay:
    """A bot in the past. It has a separate journal, and continues where it ended if it is run again.

    Parameters
    ----------
    found
        Out-of-sample forecasts and their bars.
    names
        The name of the models by kind.
    config
        Settings of the bot, its strategy and account; ``config.backtest`` has the period.
    store
        Where the journal is, unless ``database`` is given.
    daily
        Called after each day with the journal, the lease and the time, such as to monitor.
    """

    def __init__(
        self,
        found: OutOfSample,
        names: Mapping[Kind, str],
        config: Config,
        store: Store,
        database: str | None = None,
        daily: Callable[[Journal, Lease, datetime], None] | None = None,
    ) -> None:
        self._found, self._config, self._daily = found, config, daily
        self.feed = PastFeed(found, config, names)
        self._url = database or _own_journal(found, self.feed, store)

    def run(self) -> ReplayResult:
        """Go through all days that are left, and compare the account with that of a backtest.

        Raises
        ------
        ClusterError
            Another process does this replay.
        """
        began = time.perf_counter()
        bot, feed = self._config.bot.name, self.feed
        with open_journal(self._url, config=self._config.journal) as journal:
            lease = acquire(journal, lease_name(bot), term_s=self._config.bot.lease_s)
            if lease is None:
                raise ClusterError(f"another process replays bot {bot} in {journal.url}. Wait for its end.")
            scanner = Scanner(feed, journal, bot, bars_per_year=feed.terms.bars_per_year)
            with Leader(lease):
                self._walk(scanner, journal, lease)
            return self._result(journal, time.perf_counter() - began)

    def _walk(self, scanner: Scanner, journal: Journal, lease: Lease) -> None:
        past = past_of(journal, self._config.bot.name)
        dates = self.feed.dates
        if past is not None and past.first_date != dates[0]:
            raise ConfigError(
                f"journal {journal.url} has a replay from {str(past.first_date)[:10]}, not from {str(dates[0])[:10]}. "
                "Give another --database."
            )
        for date in dates if past is None else dates[dates >= past.date]:
            now = self.feed.clock(date)
            scanner.scan(lease, now)
            scanner.fill_outcomes(lease, now)
            if self._daily is not None:
                self._daily(journal, lease, now)

    def _result(self, journal: Journal, seconds: float) -> ReplayResult:
        bot, terms = self._config.bot.name, self.feed.terms
        view = view_of(self._found.tables, terms.whole, self._found.config)
        expected = terms.follow(decide(view, self._config.strategy, first=terms.first)).equity.to_numpy()
        with journal.connect() as connection:
            own = select(accounts.c.equity).where(accounts.c.bot == bot).order_by(accounts.c.instant)
            equity = np.array(connection.execute(own).scalars().all())
            count = connection.execute(select(func.count()).select_from(fills).where(fills.c.bot == bot)).scalar_one()
        same = len(equity) == len(expected)
        ended = self.feed.clock(self.feed.dates[-1])
        return ReplayResult(
            bot=bot,
            title=self._found.title,
            first=str(self.feed.dates[0])[:10],
            last=str(self.feed.dates[-1])[:10],
            days=len(equity),
            equity=float(equity[-1]),
            backtest_equity=float(expected[-1]),
            difference=float(np.abs(equity - expected).max()) if same else float("inf"),
            fills=int(count),
            models=self.feed.models(),
            skill=replay_skill(journal, self._found, self.feed, self._config.monitoring, ended),
            seconds=round(seconds, 2),
            journal=journal.url,
        )


def _own_journal(found: OutOfSample, feed: PastFeed, store: Store) -> str:
    if not store.is_local:
        raise ConfigError(f"a replay needs a local journal, and {store.uri!r} is not local. Give --database.")
    settings = feed.config.model_dump(mode="json", include={"strategy", "backtest", "bot"})
    name = config_hash(found.identity(), settings)
    folder = Path(store.root) / _FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{folder / f'{name}.db'}"
