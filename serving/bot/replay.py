"""Replay: the bot's own steps over past bars, day by day, next to a backtest of the same forecasts."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import func, select
from threadpoolctl import threadpool_limits

from configs.errors import ClusterError, ConfigError
from configs.load import config_hash
from configs.monitoring import MonitoringConfig
from configs.schema import Config
from configs.values import Kind
from features.store.store import Store
from serving.bot.leader import Leader, lease_name
from serving.bot.memory import past_of
from serving.bot.past import PastFeed
from serving.bot.replay_skill import ReplaySkill, replay_skill
from serving.bot.scanner import Scanner
from serving.bot.step_writer import read_state
from serving.journal.database import Journal
from serving.journal.leases import Lease, acquire
from serving.journal.opening import open_journal
from serving.journal.schema import accounts, fills
from training.backtesting.followed import check_needs, follow
from training.backtesting.forecasts import OutOfSample
from training.backtesting.scrambled import scrambled

_FOLDER = "replays"
_NO_SHADOWS = (
    "each model replaces the one before it on its first date, without a trial and without a rollback: both compare two "
    "models on the same bars, and of every bar only one recorded forecast exists"
)


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
        By kind, the first date of each model that forecast: those of a walk-forward run are its refits.
    broken_from
        The day from which returns are scrambled; None for the real bars.
    skill
        Live skill and alarms by kind, next to the backtest's.
    seconds
        How long it took, of this call.
    journal
        URL of its journal.
    notes
        Sentences for the reader.
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
    models: Mapping[Kind, Mapping[str, str]]
    broken_from: str | None
    skill: Mapping[str, ReplaySkill]
    seconds: float
    journal: str
    notes: tuple[str, ...]

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
    broken_from
        Shuffle returns from this day on; see :func:`.scrambled`.

    Raises
    ------
    DataError
        There are no forecasts before or after ``broken_from``, of the period, or of a kind that the strategy needs.
    """

    def __init__(
        self,
        found: OutOfSample,
        names: Mapping[Kind, str],
        config: Config,
        store: Store,
        database: str | None = None,
        daily: Callable[[Journal, Lease, datetime], None] | None = None,
        broken_from: date | None = None,
    ) -> None:
        check_needs(found, config.strategy)
        if broken_from is not None:
            found = scrambled(found, broken_from, config.backtest.seed)
        self._found, self._config, self._daily, self._broken_from = found, config, daily, broken_from
        self.feed = PastFeed(found, config, names)
        self._url = database or _own_journal(found, self.feed, config.monitoring, store)

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
                raise ClusterError(
                    f"another process replays bot {bot} in {journal.url}. Wait for its end, or "
                    f"{self._config.bot.lease_s:g} s if it was killed."
                )
            terms = feed.terms
            scanner = Scanner(feed, journal, bot, bars_per_year=terms.bars_per_year, own_years=terms.own_years)
            # Other numbers of threads sum in other orders, and a backtest has one.
            with Leader(lease), threadpool_limits(1):
                self._walk(scanner, journal, lease)
            with threadpool_limits(1):
                return self._result(journal, time.perf_counter() - began)

    def _walk(self, scanner: Scanner, journal: Journal, lease: Lease) -> None:
        past = past_of(journal, self._config.bot.name)
        dates = self.feed.dates
        if past is not None and past.first_date != dates[0]:
            raise ConfigError(
                f"journal {journal.url} has a replay from {str(past.first_date)[:10]}, not from {str(dates[0])[:10]}: "
                "it is of another period, or `journal prune` has deleted its first steps. Give another --database."
            )
        if past is not None and not self._has_these_bars(journal):
            raise ConfigError(
                f"journal {journal.url} has a replay of other bars: its closes of {str(past.date)[:10]} are not those "
                f"of {self._found.title}. Give another --database."
            )
        for day in dates if past is None else dates[dates >= past.date]:
            now = self.feed.clock(day)
            scanner.scan(lease, now)
            scanner.fill_outcomes(lease, now)
            if self._daily is not None:
                self._daily(journal, lease, now)

    def _has_these_bars(self, journal: Journal) -> bool:
        """Whether the two newest closes of each symbol in the journal are those of the replay's bars."""
        state, market = read_state(journal, self._config.bot.name), self.feed.terms.history
        assert state is not None
        rows = {name: s for s, name in enumerate(market.symbols)}
        for price, day in (("close", "date"), ("close_before", "date_before")):
            for name, close, bar in zip(state.symbols, state.numbers[price], state.dates[day], strict=True):
                if close > 0:
                    at = int(np.searchsorted(market.dates, bar))
                    expected = market.mark[at, rows[name]] if name in rows and at < len(market.dates) else 0.0
                    if not math.isclose(close, expected, rel_tol=1e-9):
                        return False
        return True

    def _result(self, journal: Journal, seconds: float) -> ReplayResult:
        bot = self._config.bot.name
        account = follow(self._found, self._config.strategy, self._config.backtest).account
        expected = account.equity.to_numpy()
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
            broken_from=None if self._broken_from is None else str(self._broken_from),
            skill=replay_skill(
                journal, self._found, self.feed, self._config.monitoring, ended, broken_from=self._broken_from
            ),
            seconds=round(seconds, 2),
            journal=journal.url,
            notes=self._notes(),
        )

    def _notes(self) -> tuple[str, ...]:
        """Say what a replay cannot show, and why its account may differ from the backtest's."""
        protections = self._config.bot.protections
        has_limits = any(one is not None for one in (protections.daily_loss, protections.drawdown, protections.stops))
        notes = [_NO_SHADOWS]
        if has_limits or protections.max_orders is not None:
            notes.append("bot.protections are set, which a backtest does not have: the accounts may differ")
        return tuple(notes)


def _own_journal(found: OutOfSample, feed: PastFeed, monitoring: MonitoringConfig, store: Store) -> str:
    if not store.is_local:
        raise ConfigError(f"a replay needs a local journal, and {store.uri!r} is not local. Give --database.")
    settings = feed.config.model_dump(mode="json", include={"strategy", "backtest", "bot"})
    tests = monitoring.model_dump(mode="json", exclude={"metrics_host", "metrics_port"})  # their states are stored
    name = config_hash(found.identity(), found.title, settings, tests)
    folder = Path(store.root) / _FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{folder / f'{name}.db'}"
