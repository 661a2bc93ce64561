"""The bars of the lake and the champions' forecasts of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from configs.errors import DataError, StoreError
from configs.operation import ServeConfig
from configs.schema import Config
from configs.values import Kind
from features.alternative.stopped import StoppedSource
from features.bars.arrays import Dates
from features.bars.schedule import Sessions
from features.bars.schedule_fit import schedule_of
from features.bars.schema import SymbolBars
from features.bars.sessions import ALWAYS
from features.store.lake_files import written
from serving.answers import KINDS
from serving.bot.closed_bars import ClosedBars, Row, closed_bars
from serving.bot.featurising import FeaturisingProcess
from serving.fleets import Fleet, require_kinds, resolve_versions
from serving.journal.forecasts import snapshot_rows
from serving.journal.predictions import PredictionRow
from serving.newest_bars import USUAL, BarsChoice, NewestBars
from serving.snapshot import Snapshot
from serving.snapshot_builder import load_fleets, open_bars, snapshot_of
from training.backtesting.sources import tested_table
from training.registry.manager import ModelManager
from training.strategy.catalog import choose
from training.validation.backtest.market import Market
from training.validation.backtest.read_market import read_market


class Champions:
    """Newest bars and champions of a store; a :class:`.Feed`.

    Bars are read once, and again when they change.

    Parameters
    ----------
    manager
        The models and the store of the lake.
    config
        Settings of the bot, of its strategy and account.
    choice
        Bars to read in place of the lake's.
    """

    def __init__(self, manager: ModelManager, config: Config, choice: BarsChoice = USUAL) -> None:
        self._manager, self._given, self._choice = manager, config, choice
        self._serve = ServeConfig(
            history_bars=config.bot.history_bars, unseen="pooled" if config.bot.symbols else "refuse"
        )
        self._helper = FeaturisingProcess()
        self._fleets: dict[Kind, Fleet] = {}
        self._newest_bars: NewestBars | None = None
        self._stamp = ""
        self._raw: dict[str, SymbolBars] = {}
        self._written: Mapping[str, datetime] = {}
        self._missing: Mapping[str, str] = {}
        self._closed: dict[str, int] = {}
        self._mended: tuple[np.datetime64, list[tuple[SymbolBars, str]]] | None = None
        self._snapshot: Snapshot | None = None

    @property
    def config(self) -> Config:
        """The settings of the bot, with the horizons and labels of the champions."""
        sections: dict[str, Any] = {kind: fleet.predictor.config.section(kind) for kind, fleet in self._fleets.items()}
        return self._given.model_copy(update=sections)

    def versions(self, row: Row | None = None) -> Mapping[Kind, str]:
        """Return the champions."""
        return {kind: fleet.version for kind, fleet in self._fleets.items()}

    def refresh(self) -> None:
        """Read newer bars and other champions, if there are any; see :meth:`.Feed.refresh`."""
        versions = resolve_versions(self._manager, "champion", KINDS)
        strategy = self._given.strategy
        require_kinds(self._manager, versions, choose(strategy).spec.needs, strategy.name)
        if versions != self.versions():
            self._fleets = self._load(versions)
            self._stamp = ""
        newest_bars = open_bars(self._manager.store, self._fleets, self._serve, None, self._choice)
        stamp = newest_bars.stamp()
        if stamp != self._stamp:
            # Before reading: bars that are stored meanwhile count as partial until they are read again.
            self._written = written(self._manager.store) if newest_bars.name == "lake" else {}
            found, self._missing = newest_bars.read(frozenset(newest_bars.symbols).union(self._traded()))
            self._raw = {bars.symbol: bars for bars in found}
            self._newest_bars, self._mended = newest_bars, None
            self._stamp = "" if newest_bars.unreadable else stamp  # a file that could not be read is read again

    def verdicts(self, now: datetime) -> dict[str, tuple[ClosedBars, Dates]]:
        """Return which bars of each traded symbol are complete, and the dates of all."""
        found: dict[str, tuple[ClosedBars, Dates]] = {}
        none = np.array([], "datetime64[ns]")
        for symbol in self._traded():
            if symbol in self._raw:
                dates = _past(self._raw[symbol].dates, now)
                found[symbol] = closed_bars(symbol, schedule_of(dates), dates, now, self._written.get(symbol)), dates
            else:
                reason = self._missing.get(symbol, "no bars are available")
                found[symbol] = ClosedBars(symbol, Sessions(ALWAYS), 0, problem="no_bars", reason=reason), none
        self._closed = {symbol: one.count for symbol, (one, _) in found.items()}
        self._closed |= self._counts((bars for name, bars in self._raw.items() if name not in found), now)
        return found

    def complete(self) -> Iterable[SymbolBars]:
        """Return the bars that were complete at the time of the last call of :meth:`verdicts`."""
        assert self._newest_bars is not None
        bars = [self._raw[name].first(count) for name, count in self._closed.items() if count]
        return [one for one, _ in self._newest_bars.mended(bars)]

    def forecasts(self, row: Row, versions: Mapping[Kind, str], made_by: str) -> list[PredictionRow]:
        """Return the forecasts of the bars of a date by these versions, without symbols that have no bar of it."""
        assert self._newest_bars is not None
        fleets = self._fleets if versions == self.versions() else self._load(versions)
        usable = [bars for bars, problem in self._until(row) if not problem]
        cut = self._newest_bars.cut(usable, row.date)
        self._snapshot = snapshot_of(fleets, cut, self._serve, self._snapshot, featurise=self._helper)
        chosen = {bars.symbol for bars in usable if bars.dates[-1] == row.date}.intersection(self._traded())
        return snapshot_rows(self._snapshot, made_by, symbols=chosen)

    def market(self, row: Row, also: Sequence[str]) -> Market:
        """Return all bars up to a date, of the traded symbols and of those in ``also``."""
        wanted = {*self._traded(), *also}
        if self._newest_bars is not None and (unread := wanted - self._raw.keys() - self._missing.keys()):
            try:
                found, missing = self._newest_bars.read(frozenset(unread))  # held, and of no model any more
            except (DataError, StoreError) as error:  # they keep their last price, and stop no other symbol
                found, missing = [], dict.fromkeys(unread, str(error))
            self._raw |= {bars.symbol: bars for bars in found}
            self._closed |= self._counts(found, row.instant)
            self._missing = {**self._missing, **dict.fromkeys(unread, "no bars are available"), **missing}
            self._mended = None
        return read_market([bars for bars, _ in self._until(row) if bars.symbol in wanted])

    def stopped_sources(self) -> Sequence[StoppedSource] | None:
        """Return the alternative data that had stopped at the bars forecast last; None if none were forecast yet."""
        return None if self._snapshot is None else self._snapshot.stopped_sources()

    def tested(self, kind: Kind, version: str) -> pd.DataFrame:
        """Return the forecasts of a version's test."""
        return tested_table(self._manager, kind, version)

    def close(self) -> None:
        """End the process that helps to featurise."""
        self._helper.close()

    def _traded(self) -> Sequence[str]:
        if self._given.bot.symbols:
            return self._given.bot.symbols
        return sorted(frozenset[str]().union(*(fleet.position for fleet in self._fleets.values())))

    def _load(self, versions: Mapping[Kind, str]) -> dict[Kind, Fleet]:
        return load_fleets(self._manager, versions, self._snapshot)

    def _counts(self, bars: Iterable[SymbolBars], now: datetime) -> dict[str, int]:
        """Return how many bars are complete: features of the universe may not see one that is being formed either."""
        dates = {one.symbol: _past(one.dates, now) for one in bars}
        at = self._written.get
        return {name: closed_bars(name, schedule_of(own), own, now, at(name)).count for name, own in dates.items()}

    def _until(self, row: Row) -> list[tuple[SymbolBars, str]]:
        """Return the complete bars up to a date, mended by what was known then, and why a symbol is not forecast."""
        assert self._newest_bars is not None
        if self._mended is None or self._mended[0] != row.date:
            bars = []
            for name, one in self._raw.items():
                count = min(int(np.searchsorted(one.dates, row.date, side="right")), self._closed.get(name, len(one)))
                if count:
                    bars.append(one.first(count))
            self._mended = row.date, self._newest_bars.mended(bars)
        return self._mended[1]


def _past(dates: Dates, now: datetime) -> Dates:
    """Return the dates until now: one of the future is a mistake, and must not decide the schedule of a symbol."""
    end = np.datetime64(now.astimezone(UTC).replace(tzinfo=None), "ns")
    return dates if dates[-1] <= end else dates[: max(int(np.searchsorted(dates, end, side="right")), 1)]
