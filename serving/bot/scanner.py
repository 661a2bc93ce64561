"""Scans: from closed bars to journaled predictions, signals and orders, one step for each date, each exactly once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

import numpy as np

from configs.errors import BotError, ModelError
from configs.values import Kind
from features.bars.closes import bar_date
from serving.bot.account_terms import TermChange, agreed
from serving.bot.broker import Broker
from serving.bot.closed_bars import Row, ready_rows
from serving.bot.feed import Feed
from serving.bot.forecasting import forecasts_of, shadow_forecasts
from serving.bot.memory import Past, forecasts_of_steps, newest_instant, own_versions, past_of, tables_of
from serving.bot.orders import orders_of
from serving.bot.record import Record
from serving.bot.renaming import renamed
from serving.bot.scan_alerts import DataState, alert_writer, settle_data
from serving.bot.state import BotState
from serving.bot.step import open_state, step
from serving.bot.step_result import StepResult
from serving.bot.step_writer import read_state, write_step
from serving.journal.database import Journal
from serving.journal.leases import Lease
from serving.journal.outcomes import current_name, due_outcomes, record_outcomes
from serving.journal.predictions import SERVED, record

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ScanReport:
    """What a scan did.

    Attributes
    ----------
    instants
        Closes of the steps that it made.
    signals
        Of the newest of these steps, one a symbol; empty without a step.
    problems
        Why symbols are not traded now.
    symbols, orders
        How many symbols were looked at, and how many orders the steps have.
    """

    instants: tuple[datetime, ...] = ()
    signals: tuple[dict[str, Any], ...] = ()
    problems: Mapping[str, str] = field(default_factory=dict)
    symbols: int = 0
    orders: int = 0


class Scanner:
    """Makes the steps of one bot, and keeps its state and its record of forecasts in memory between scans.

    Both are read again from the journal when another process has made a step since.

    Parameters
    ----------
    feed
        Bars and forecasts.
    journal, bot
        Where steps are written, and under which name.
    broker
        The account; by default the paper account, which is part of the bot's state.
    kill_switch
        Returns the content of the kill switch's file; None without one.
    bars_per_year, own_years
        As ``bars_per_year`` and ``own`` of :func:`.open_state`.
    accept_terms
        As for :func:`.agreed`.
    """

    def __init__(
        self,
        feed: Feed,
        journal: Journal,
        bot: str,
        *,
        broker: Broker | None = None,
        kill_switch: Callable[[], str | None] = lambda: None,
        bars_per_year: float | None = None,
        own_years: Mapping[str, float] | None = None,
        accept_terms: bool = False,
    ) -> None:
        self.feed = feed
        self._journal, self._bot, self._broker = journal, bot, broker
        self._kill_switch, self._years = kill_switch, (bars_per_year, own_years)
        self._accept_terms = accept_terms
        self._new_terms: tuple[TermChange, ...] = ()
        self._made_by = f"bot:{bot}"
        self._working = Lock()
        self._past: Past | None = None
        self._state: BotState | None = None
        self._record: Record | None = None

    def scan(self, lease: Lease, now: datetime, stopped: Callable[[], bool] = lambda: False) -> ScanReport:
        """Make the steps of all dates whose bars are ready.

        It ends early, between two steps, if ``stopped`` returns True. The next scan goes on from there.

        Raises
        ------
        LeaseLostError
            Another process leads the bot.
        FleetcastError
            Models, bars or the journal cannot be read.
        """
        with self._working:
            return self._scan(lease, now, stopped)

    def check_terms(self) -> None:
        """Raise ``ConfigError`` if the account has other terms than the settings, before anything is written."""
        try:
            state = read_state(self._journal, self._bot)
            if state is not None:
                agreed(state, self.feed.config, accept=self._accept_terms)
        except BotError:  # a scan reports a state that cannot be read
            return

    def fill_outcomes(self, lease: Lease, now: datetime) -> int:
        """Record what became of predictions, and return how many outcomes are new or revised."""
        with self._working:
            self.feed.refresh()
            self.feed.verdicts(now)
            with self._journal.connect() as connection:  # bars are mended here, while others may write
                names = self.feed.config.journal.renamed
                due = due_outcomes(connection, self.feed.complete(), now, renamed=names)
            with self._journal.begin() as connection:
                lease.guard(connection)
                return record_outcomes(connection, due)

    def _scan(self, lease: Lease, now: datetime, stopped: Callable[[], bool]) -> ScanReport:
        self.feed.refresh()
        self._recall()
        verdicts = self.feed.verdicts(now)
        problems = {name: one.reason for name, (one, _) in verdicts.items() if one.problem is not None}
        wait = timedelta(seconds=self.feed.config.bot.wait_s)
        after = None if self._past is None else self._past.date
        instants, signals, orders = list[datetime](), tuple[dict[str, Any], ...](), 0
        for row in ready_rows(verdicts, after, now, wait):
            if stopped():
                break
            result = self._step(row, lease)
            signals, orders = result.signals, orders + len(result.orders)
            instants.append(row.instant)
        if not instants:
            data = DataState(verdicts, self.feed.stopped_sources())
            settle_data(self._journal, lease, self._bot, data, now, self.feed.config.alerts)
        return ScanReport(tuple(instants), signals, problems, len(verdicts), orders)

    def _recall(self) -> None:
        """Read state and record from the journal unless they are those of its newest step and of the champions' terms.

        A champion may have another horizon than the one before, or is the first of its kind.
        """
        newest = newest_instant(self._journal, self._bot)
        known = None if self._past is None else self._past.instant
        if self._record is not None and newest == known and self._record.config == self.feed.config:
            return
        self._record = None
        self._past = past_of(self._journal, self._bot)
        self._state = read_state(self._journal, self._bot)
        if self._state is not None:
            self._state, self._new_terms = agreed(self._state, self.feed.config, accept=self._accept_terms)
            for change in self._new_terms:
                _log.warning("bot %s goes on under other terms: %s", self._bot, change)
        if self._broker is not None and self._state is not None:
            self._broker.submit(orders_of(self._state))  # the process may have ended before it did
        if self._past is not None:
            self._record = Record(self.feed.config)
            for kind, (version, before) in self._past.first.items():
                self._add_tests(self._record, kind, version, before)
            for kind, table in forecasts_of_steps(self._journal, self._bot).items():
                self._record.add(kind, table)

    def _add_tests(self, record: Record, kind: Kind, version: str, before: np.datetime64) -> None:
        """Add the test of the first version of a kind, up to its first date."""
        try:
            table = self.feed.tested(kind, version)
        except ModelError as error:  # versions of long ago may have been pruned
            _log.warning("skill is measured by the bot's own forecasts of %s only: %s", kind, error)
            return
        record.add(kind, table[table["date"].to_numpy() < before])

    def _step(self, row: Row, lease: Lease) -> StepResult:
        date = bar_date(row.date)
        verdicts = self.feed.verdicts(row.instant)
        own = own_versions(self._journal, self._made_by, date)
        versions = {**self.feed.versions(row), **own}
        made = forecasts_of(self.feed, self._journal, row, self._made_by, versions, own)
        shadows = shadow_forecasts(self.feed, self._journal, row, self._made_by)
        with self._journal.begin() as connection:
            lease.guard(connection)
            stored = record(connection, made, instead_of=(SERVED,))
            record(connection, shadows)
        if self._record is None:
            self._record = Record(self.feed.config)
        for kind, version in versions.items():
            if self._past is None or kind not in self._past.first:
                self._add_tests(self._record, kind, version, row.date)
        for kind, table in tables_of(stored).items():
            self._record.add(kind, table)
        config = self.feed.config
        names = config.journal.renamed
        symbols = () if self._past is None else self._past.open_symbols
        market = self.feed.market(row, [*symbols, *(current_name(name, names) for name in symbols)])
        if self._state is not None:
            self._state = renamed(self._state, names)
        if self._state is None:
            calendar, years = self._years
            self._state = open_state(self._bot, market, config, bars_per_year=calendar, own=years)
        kill_switch = self._kill_switch()
        result = step(
            self._state, market, self._record, config, row.instant, broker=self._broker, kill_switch=kill_switch
        )
        notes: dict[str, Any] = {"bar_date": date.isoformat(), "versions": versions, "late": row.late}
        if self._new_terms:
            notes["terms"] = [change._asdict() for change in self._new_terms]
        result = replace(result, notes={**result.notes, **notes})
        newest = max((one.made_at for one in stored), default=None)
        write_alerts = alert_writer(DataState(verdicts, self.feed.stopped_sources()), config.alerts)
        if not write_step(self._journal, lease, result, write_alerts, not_before=newest):
            _log.warning("the step of %s is in the journal already", row.instant.isoformat())
            self._record = None  # read everything again
            return result
        if self._broker is not None:
            self._broker.submit(result.orders)
        self._remember(row, result, versions)
        _log.info("step of %s: %d signals, %d orders", row.instant, len(result.signals), len(result.orders))
        return result

    def _remember(self, row: Row, result: StepResult, versions: Mapping[Kind, str]) -> None:
        symbols = {one["symbol"] for one in result.position_rows if one["quantity"]} | {
            one.symbol for one in result.orders
        }
        first = {kind: (version, row.date) for kind, version in versions.items()}
        first |= {} if self._past is None else self._past.first
        self._past = Past(row.instant, row.date, first, tuple(sorted(symbols)))
        self._state, self._new_terms = result.state, ()
