"""Today's signals: the champions' newest forecasts, and their test tables as the record of what forecasts are worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from configs.errors import DataError, ModelError, shortened
from configs.operation import ServeConfig
from configs.schema import Config
from configs.strategy import StrategyConfig
from configs.values import Kind
from features.labels import CLASSES
from serving.answers import KINDS, DirectionForecast, Forecast, VolatilityForecast
from serving.fleets import require_kinds, resolve_versions
from serving.newest_bars import BarsChoice
from serving.snapshot import Snapshot
from serving.snapshot_builder import build_snapshot, open_bars
from training.backtesting.forecasts import view_of
from training.backtesting.sources import tested_table
from training.registry.manager import ModelManager
from training.strategy.catalog import choose
from training.strategy.pipeline import decide
from training.strategy.signal import Signal
from training.strategy.view import ForecastView
from training.validation.backtest.market import Market
from training.validation.backtest.read_market import read_market

_ALL_BARS = 100_000  # the record of forecasts begins long before the newest window


@dataclass(frozen=True, slots=True)
class NewestSignals:
    """The signals of symbols, the versions that they come from, and notes on bars and symbols without a signal."""

    signals: tuple[Signal, ...]
    versions: Mapping[Kind, str]
    notes: tuple[str, ...]


def newest_signals(
    manager: ModelManager, strategy: StrategyConfig, choice: BarsChoice, symbols: Sequence[str] = ()
) -> NewestSignals:
    """Return what a strategy decides after each symbol's newest bar, as if nothing was held before.

    Symbols whose newest bar is more than ``strategy.max_halt`` days older than the newest of all have no signal.

    Raises
    ------
    ModelError
        There is no champion of a kind that the strategy needs, or it has no forecast.
    DataError
        A symbol that was asked for has no forecast.
    """
    versions = resolve_versions(manager, "champion", KINDS)
    require_kinds(manager, versions, choose(strategy).spec.needs, strategy.name)
    snapshot = build_snapshot(manager, versions, ServeConfig(), choice=choice)
    newest = _newest(snapshot)
    known = sorted({symbol for table in newest.values() for symbol in table["symbol"]})
    if unknown := sorted(set(symbols) - set(known)):
        raise DataError(f"there is no forecast of {shortened(unknown)}; there are those of {shortened(known)}.")
    bars = open_bars(manager.store, snapshot.fleets, ServeConfig(history_bars=_ALL_BARS), None, choice)
    market = read_market(list(bars.of_symbols(frozenset(known))))
    tables = dict[str, pd.DataFrame]()
    for kind, table in newest.items():
        record = pd.concat([_record(manager, kind, versions[kind], market), table], ignore_index=True)
        tables[kind] = record.drop_duplicates(["symbol", "date"], keep="last")
    wanted = list(symbols) or known
    signals = [one for one in _signals(view_of(tables, market, _config(snapshot)), strategy) if one.symbol in wanted]
    signals.sort(key=lambda one: one.symbol)
    return NewestSignals(tuple(signals), versions, _notes(snapshot, signals, wanted))


def _newest(snapshot: Snapshot) -> dict[Kind, pd.DataFrame]:
    """Return the newest forecast of each symbol, by kind, as rows of a test table."""
    rows: dict[Kind, list[dict[str, Any]]] = {}
    for symbol in snapshot.symbols:
        found = snapshot.prediction(symbol)
        for one in found.forecasts:
            assert found.as_of is not None
            place = {"symbol": symbol, "date": pd.Timestamp(found.as_of)}
            kind, columns = _row(one)
            rows.setdefault(kind, []).append(place | columns)
    if not rows:
        raise ModelError("no symbol has a forecast. See `fleetcast predict` for the reasons.")
    return {kind: pd.DataFrame(some) for kind, some in rows.items()}


def _row(forecast: Forecast) -> tuple[Kind, dict[str, float]]:
    match forecast:
        case DirectionForecast(probabilities=p):
            return "direction", {f"p_{label}": getattr(p, label) for label in CLASSES}
        case VolatilityForecast():
            ends = {"forecast": forecast.annualised, "low": forecast.low, "high": forecast.high}
            return "volatility", {name: end**2 / forecast.bars_per_year for name, end in ends.items()}


def _record(manager: ModelManager, kind: str, version: str, market: Market) -> pd.DataFrame:
    """Return the test table of a version on the bars of a market."""
    table = tested_table(manager, kind, version)
    column = pd.Index(market.symbols).get_indexer(pd.Index(table["symbol"]))
    dates = table["date"].to_numpy().astype(market.dates.dtype)
    row = np.minimum(np.searchsorted(market.dates, dates), len(market.dates) - 1)
    return pd.DataFrame(table[(column >= 0) & (market.dates[row] == dates) & market.has_bar[row, column]])


def _config(snapshot: Snapshot) -> Config:
    """Return the settings of the models: horizons and labels, each of its own kind."""
    configs = {kind: fleet.predictor.config for kind, fleet in snapshot.fleets.items()}
    first = next(iter(configs.values()))
    return first.model_copy(update={kind: config.section(kind) for kind, config in configs.items()})


def _signals(view: ForecastView, strategy: StrategyConfig) -> list[Signal]:
    """Return the signal of each symbol after its newest bar; those of one date share one portfolio."""
    last = np.where(view.has_bar, np.arange(len(view.dates))[:, None], -1).max(axis=0)
    oldest = view.dates[-1] - np.timedelta64(int(strategy.max_halt * 86_400), "s")
    out = []
    for row in np.unique(last[view.dates[last] >= oldest]):
        signals = decide(view.until(int(row) + 1), strategy, first=-1).signals()
        out += [one for one, own in zip(signals, last, strict=True) if own == row]
    return out


def _notes(snapshot: Snapshot, signals: Sequence[Signal], wanted: Sequence[str]) -> tuple[str, ...]:
    notes = []
    stale = snapshot.stale_symbols()
    if shown := sorted(set(stale) & {one.symbol for one in signals}):
        notes.append(f"the newest bars of {shortened(shown)} are not up to date: {stale[shown[0]].text}")
    if left_out := sorted(set(wanted) - {one.symbol for one in signals}):
        verb = "has" if len(left_out) == 1 else "have"
        notes.append(f"{shortened(left_out)} {verb} no new bar for more than strategy.max_halt days, so no signal")
    return tuple(notes)
