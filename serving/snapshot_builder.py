"""Builds snapshots: loads models and newest bars, and computes every symbol's answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

import numpy as np

from configs.errors import ModelError
from configs.operation import ServeConfig
from configs.values import Kind
from features.store.store import Store
from serving.answers import Failure
from serving.fleets import Fleet, ForecastColumns, open_fleet
from serving.known_sources import KnownSource, each_once
from serving.latest_windows import FeatureRecipe, Featurise, LatestWindows
from serving.newest_bars import USUAL, BarsChoice, NewestBars
from serving.snapshot import Outcome, Snapshot
from serving.spelling import Spelling
from serving.targets import LastBar
from serving.window_cache import WindowCache
from training.registry.manager import ModelManager

SymbolFilter = Callable[[str], bool]


def build_snapshot(
    manager: ModelManager,
    versions: Mapping[Kind, str],
    config: ServeConfig,
    previous: Snapshot | None = None,
    keep: SymbolFilter | None = None,
    stamp: str | None = None,
    choice: BarsChoice = USUAL,
) -> Snapshot:
    """Load models and newest bars, and compute every symbol's answer.

    Parameters
    ----------
    versions
        The version of each kind, at least one.
    previous
        A snapshot whose models and windows are reused where they are still right.
    keep
        Which symbols this server loads; all by default.
    stamp
        The stamp of the bars to use, by default the present one. With the stamp of ``previous``, bars are read again
        only if models need other features.
    choice
        Where to read bars, and up to when.

    Raises
    ------
    ModelError, DataError, StoreError
        A version or the bars cannot be read.
    """
    fleets = load_fleets(manager, versions, previous, keep)
    bars = open_bars(manager.store, fleets, config, previous, choice)
    return snapshot_of(fleets, bars, config, previous, keep, stamp, versions)


def load_fleets(
    manager: ModelManager,
    versions: Mapping[Kind, str],
    previous: Snapshot | None = None,
    keep: SymbolFilter | None = None,
) -> dict[Kind, Fleet]:
    """Return the models of these versions, without kinds that have none of this server's symbols.

    Raises
    ------
    ModelError
        A version cannot be read, or no kind has a symbol.
    """
    loaded = {kind: _load_fleet(manager, kind, version, previous, keep) for kind, version in versions.items()}
    fleets = {kind: fleet for kind, fleet in loaded.items() if fleet is not None}
    if not fleets:
        raise ModelError("the served versions have none of this server's symbols. Use fewer shards.")
    return fleets


def snapshot_of(
    fleets: Mapping[Kind, Fleet],
    bars: NewestBars,
    config: ServeConfig,
    previous: Snapshot | None = None,
    keep: SymbolFilter | None = None,
    stamp: str | None = None,
    versions: Mapping[Kind, str] | None = None,
    featurise: Featurise | None = None,
) -> Snapshot:
    """Return the answers of these models from these bars; parameters are as for :func:`build_snapshot`."""
    stamp = bars.stamp() if stamp is None else stamp
    unseen = config.unseen == "pooled" and any(fleet.predictor.forecasts_unseen for fleet in fleets.values())
    unfitted = frozenset(bars.unfitted_symbols()) if unseen else frozenset[str]()
    if keep is not None:
        unfitted = frozenset(filter(keep, unfitted))
    windows = _windows(fleets, bars, stamp, previous, unfitted, featurise)
    bars.release()
    if previous is not None and previous.bars_stamp == stamp and previous.bars.symbols == bars.symbols:
        bars = previous.bars
    distinct = {id(latest): latest for latest in windows.values()}
    newest = {key: latest.last_bars() for key, latest in distinct.items()}
    notes, sources = dict[str, tuple[str, ...]](), dict[str, tuple[KnownSource, ...]]()
    for latest in distinct.values():
        for symbol, remarks in latest.newest_remarks().items():
            notes[symbol] = tuple(dict.fromkeys((*notes.get(symbol, ()), *remarks.notes)))
            sources[symbol] = each_once((*sources.get(symbol, ()), *remarks.sources))
    computed = {
        kind: _forecasts(fleet, windows[kind], unfitted, newest[id(windows[kind])]) for kind, fleet in fleets.items()
    }
    forecasts = {kind: outcomes for kind, (outcomes, _) in computed.items()}
    for kind, fleet in fleets.items():
        for symbol, last in newest[id(windows[kind])].items():
            if not isinstance(forecasts[kind].get(symbol), Failure | None):
                notes[symbol] = (*notes[symbol], *fleet.notes(last))
    snapshot = Snapshot(
        versions=dict(versions or {kind: fleet.version for kind, fleet in fleets.items()}),
        fleets=fleets,
        windows=windows,
        forecasts=forecasts,
        columns={kind: columns for kind, (_, columns) in computed.items()},
        symbols=sorted(unfitted.union(*(fleet.position for fleet in fleets.values()))),
        last_bars={symbol: bar for bars_of_kind in newest.values() for symbol, bar in bars_of_kind.items()},
        notes=notes,
        sources=sources,
        bars=bars,
        bars_stamp=stamp,
        max_age=None if config.max_age_days == "calendar" else timedelta(days=config.max_age_days),
        unseen=unseen,
        unfitted=unfitted,
        spelling=Spelling(frozenset(bars.symbols) | unfitted),
    )
    snapshot.stale_symbols()  # loads the exchanges' calendars before the first request
    return snapshot


def open_bars(
    store: Store,
    fleets: Mapping[Kind, Fleet],
    config: ServeConfig,
    previous: Snapshot | None,
    choice: BarsChoice = USUAL,
) -> NewestBars:
    """Return the bars of all symbols of these models' versions, which cross-asset features need.

    Without a lake they come from the source that the newest version was trained on. A server that has read the lake
    continues to: an emptied lake is an error, not a reason to serve older bars from another source.
    """
    fitted = frozenset[str]().union(*(fleet.all_symbols for fleet in fleets.values()))
    universe = sorted(fitted.union(*(fleet.universe for fleet in fleets.values())))
    newest = max(fleets.values(), key=lambda fleet: fleet.created)
    name = "lake" if previous is not None and previous.bars.name == "lake" else newest.predictor.config.data.bars
    configs = [fleet.predictor.config for fleet in fleets.values()]
    return NewestBars(store, name, universe, config.history_bars, configs, choice, fitted)


def _load_fleet(
    manager: ModelManager, kind: Kind, version: str, previous: Snapshot | None, keep: SymbolFilter | None
) -> Fleet | None:
    """Return a version's models, loaded before or now; None if this server keeps none of its symbols."""
    if previous is not None and kind in previous.fleets and previous.fleets[kind].version == version:
        return previous.fleets[kind]
    if keep is None:
        return open_fleet(manager, kind, version)
    symbols = {symbol for symbol in manager.roster(kind, version).symbols() if keep(symbol)}
    return open_fleet(manager, kind, version, symbols) if symbols else None


def _windows(
    fleets: Mapping[Kind, Fleet],
    bars: NewestBars,
    stamp: str,
    previous: Snapshot | None,
    unfitted: frozenset[str],
    featurise: Featurise | None,
) -> dict[Kind, LatestWindows]:
    """Return each kind's newest windows; kinds with equal recipes share theirs, and unchanged ones are reused."""
    recipes = {kind: FeatureRecipe.of(fleet.predictor, fleet.universe) for kind, fleet in fleets.items()}
    out: dict[Kind, LatestWindows] = {}
    for kind, recipe in recipes.items():
        alike = [other for other, theirs in recipes.items() if theirs == recipe]
        if shared := next((out[other] for other in alike if other in out), None):
            out[kind] = shared
            continue
        length = max(fleets[other].predictor.window for other in alike)
        symbols = unfitted.union(*(fleets[other].position for other in alike))
        old = previous.windows.values() if previous is not None and previous.bars_stamp == stamp else ()
        usable = (latest for latest in old if latest.recipe == recipe and latest.covers(length, symbols))
        out[kind] = next(usable, None) or _read_windows(recipe, length, symbols, bars, stamp, featurise)
    return out


def _read_windows(
    recipe: FeatureRecipe,
    length: int,
    symbols: frozenset[str],
    bars: NewestBars,
    stamp: str,
    featurise: Featurise | None,
) -> LatestWindows:
    """Return the windows that another server has stored, or else featurise the bars and store the result."""
    cache = None if bars.is_given else WindowCache(recipe, length, symbols, bars, stamp)
    if cache is not None and (found := cache.read()) is not None:
        return found
    table, note = recipe.table(bars.of_universe())
    context = bars.context(recipe.config)
    chosen = bars.of_symbols(symbols)
    fresh = LatestWindows.build(recipe, length, chosen, symbols, table, context, note, featurise)
    if cache is not None:
        cache.write(fresh)
    return fresh


def _forecasts(
    fleet: Fleet, latest: LatestWindows, unfitted: frozenset[str], last_bars: Mapping[str, LastBar]
) -> tuple[dict[str, Outcome], tuple[Sequence[str], ForecastColumns] | None]:
    """Return each symbol's forecast or why there is none, and the symbols and columns of the forecasts."""
    wanted = unfitted.union(fleet.position) if fleet.predictor.forecasts_unseen else frozenset(fleet.position)
    symbols, windows, refused = latest.windows_of(fleet.predictor, wanted)
    found: dict[str, Outcome] = dict(refused)
    if windows is None:
        return found, None
    columns = fleet.columns(windows, np.array([fleet.row(symbol) for symbol in symbols], np.int64))
    answers = fleet.answers(columns, [last_bars[symbol] for symbol in symbols])
    return found | dict(zip(symbols, answers, strict=True)), (symbols, columns)
