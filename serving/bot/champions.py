"""The bars of the lake and the champions' forecasts of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime

import numpy as np
import pandas as pd

from configs.errors import ModelError
from configs.operation import ServeConfig
from configs.schema import Config
from configs.values import Kind
from features.bars.arrays import Dates
from features.bars.schedule import Sessions
from features.bars.schedule_fit import schedule_of
from features.bars.schema import SymbolBars
from features.bars.sessions import ALWAYS
from serving.answers import KINDS
from serving.bot.closed_bars import ClosedBars, Row, closed_bars
from serving.fleets import Fleet, resolve_versions
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

_ALL_BARS = 100_000  # the record of forecasts begins long before the newest window


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
        unseen = "pooled" if config.bot.symbols else "refuse"
        self._serve = ServeConfig(history_bars=config.bot.history_bars, unseen=unseen)
        self._fleets: dict[Kind, Fleet] = {}
        self._whole: NewestBars | None = None
        self._stamp = ""
        self._bars: dict[str, SymbolBars] = {}
        self._missing: Mapping[str, str] = {}
        self._usable: Mapping[str, int] = {}
        self._past: tuple[tuple[str, np.datetime64], dict[str, SymbolBars]] | None = None
        self._snapshot: Snapshot | None = None

    @property
    def config(self) -> Config:
        """The settings of the bot, with the horizons and labels of the champions."""
        sections = {kind: fleet.predictor.config.section(kind) for kind, fleet in self._fleets.items()}
        return self._given.model_copy(update=sections)

    def versions(self, row: Row | None = None) -> Mapping[Kind, str]:
        """Return the champions."""
        return {kind: fleet.version for kind, fleet in self._fleets.items()}

    def refresh(self) -> None:
        """Read newer bars and other champions, if there are any; see :meth:`.Feed.refresh`."""
        versions = resolve_versions(self._manager, "champion", KINDS)
        strategy = self._given.strategy
        if missing := sorted(choose(strategy).spec.needs - set(versions)):
            raise ModelError(
                f"strategy {strategy.name} needs a champion of {' and '.join(missing)}, and there is one of "
                f"{' and '.join(versions)} only. Train with --kinds direction,volatility, or choose another --strategy."
            )
        if versions != self.versions():
            self._fleets = self._load(versions)
            self._stamp = ""
        whole = self._open()
        stamp = whole.stamp()
        if stamp != self._stamp:
            self._bars, self._whole, self._stamp = self._read(whole), whole, stamp

    def verdicts(self, now: datetime) -> dict[str, tuple[ClosedBars, Dates]]:
        """Return which bars of each traded symbol are complete, and the dates of all."""
        found: dict[str, tuple[ClosedBars, Dates]] = {}
        none = np.array([], "datetime64[ns]")
        for symbol in self._traded():
            if symbol in self._bars:
                dates = self._bars[symbol].dates
                found[symbol] = closed_bars(symbol, schedule_of(dates), dates, now), dates
            else:
                reason = self._missing.get(symbol, "no bars are available")
                found[symbol] = ClosedBars(symbol, Sessions(ALWAYS), 0, problem="no_bars", reason=reason), none
        self._usable = {symbol: one.count for symbol, (one, _) in found.items()}
        return found

    def complete(self) -> Iterable[SymbolBars]:
        """Return the bars that were complete at the time of the last call of :meth:`verdicts`."""
        return (self._closed(bars) for name, bars in self._bars.items() if name in self._usable)

    def forecasts(self, row: Row, versions: Mapping[Kind, str], made_by: str) -> list[PredictionRow]:
        """Return the forecasts of the bars of a date by these versions, without symbols that have no bar of it."""
        assert self._whole is not None
        fleets = self._fleets if versions == self.versions() else self._load(versions)
        bars = [self._closed(one) for one in self._until(row)]
        cut = self._whole.cut([one for one in bars if len(one)], row.date, self._serve.history_bars)
        snapshot = snapshot_of(fleets, cut, self._serve, self._snapshot)
        self._snapshot = snapshot
        has_bar = {one.symbol for one in bars if len(one) and row.date in one.dates[-1:]}
        chosen = has_bar.intersection(self._traded())
        return snapshot_rows(snapshot, made_by, symbols=chosen)

    def market(self, row: Row, also: Sequence[str]) -> Market:
        """Return all bars up to a date, of the traded symbols and of those in ``also``."""
        wanted = {*self._traded(), *also}
        bars = [_up_to(self._closed(one), row.date) for one in self._until(row) if one.symbol in wanted]
        return read_market([one for one in bars if len(one)])

    def tested(self, kind: Kind, version: str) -> pd.DataFrame:
        """Return the forecasts of a version's test."""
        return tested_table(self._manager, kind, version)

    def _traded(self) -> Sequence[str]:
        if self._given.bot.symbols:
            return self._given.bot.symbols
        return sorted(frozenset[str]().union(*(fleet.position for fleet in self._fleets.values())))

    def _load(self, versions: Mapping[Kind, str]) -> dict[Kind, Fleet]:
        return load_fleets(self._manager, versions, self._snapshot)

    def _open(self, end: date | None = None) -> NewestBars:
        config = self._serve.model_copy(update={"history_bars": _ALL_BARS})
        choice = self._choice if end is None else replace(self._choice, end=end)
        return open_bars(self._manager.store, self._fleets, config, None, choice)

    def _read(self, whole: NewestBars) -> dict[str, SymbolBars]:
        wanted = frozenset(whole.symbols).union(self._traded())
        found = {bars.symbol: bars for bars in whole.of_symbols(wanted)}
        self._missing = whole.missing | whole.unreadable
        whole.release()
        return found

    def _until(self, row: Row) -> Sequence[SymbolBars]:
        """Return the bars that were known at a date, though later ones may be there: what they mend depends on them."""
        if all(bars.dates[-1] <= row.date for bars in self._bars.values()):
            return list(self._bars.values())
        if self._past is None or self._past[0] != (self._stamp, row.date):
            end = row.date.astype("datetime64[D]").item()
            self._past = (self._stamp, row.date), self._read(self._open(end))
        return [_up_to(bars, row.date) for bars in self._past[1].values()]

    def _closed(self, bars: SymbolBars) -> SymbolBars:
        """Return a symbol's bars without those that may not be complete."""
        return bars.first(self._usable.get(bars.symbol, len(bars)))


def _up_to(bars: SymbolBars, date: np.datetime64) -> SymbolBars:
    return bars.first(int(np.searchsorted(bars.dates, date, side="right")))
