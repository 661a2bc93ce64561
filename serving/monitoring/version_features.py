"""The features that a version reads, of the newest bars and of those that it was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from configs.errors import DataError, FleetcastError, ModelError
from configs.load import validated
from configs.monitoring import MonitoringConfig
from configs.values import Kind
from features.alternative.groups import sources_of
from features.alternative.stopped import StoppedSource, stopped_sources
from features.context import MarketContext
from features.universe import MIN_SYMBOLS, UniverseFacts
from serving.latest_windows import FeatureRecipe
from serving.monitoring.feature_drift import Drift, feature_drift
from serving.newest_bars import USUAL, BarsChoice, NewestBars
from training.registry.manager import ModelManager
from training.registry.manifest import block_of_version

_SYMBOLS = 40  # that stand for all
_CHUNK = 10
_HISTORY_BARS = 2_500


class VersionFeatures(NamedTuple):
    """The drift of a version's features, the alternative data among them that have stopped, and why none is known."""

    drift: Drift
    stopped: tuple[StoppedSource, ...] = ()
    reason: str = ""


def features_of_version(
    manager: ModelManager,
    kind: Kind,
    version: str,
    newest: Mapping[str, np.datetime64],
    config: MonitoringConfig,
    choice: BarsChoice = USUAL,
) -> VersionFeatures:
    """Return the drift of a version's features since its training, from at most 40 of its symbols, and what stopped.

    The version stores no distribution of its features, so they are computed again from the bars of its training.
    ``newest`` has the date of each symbol's newest bar, at which sources are judged.

    Raises
    ------
    ModelError, DataError
        The version or its bars cannot be read.
    """
    manifest = manager.manifest(kind, version)
    _, index = block_of_version(manager.store, manifest, 0)
    meta = index.meta
    if not meta.get("trained_to"):
        raise ModelError(f"{kind} {version} does not say up to when it was trained. Train it again.")
    trained = validated(manifest.config, f"the settings of {kind} {version}")
    roster = manager.roster(kind, version)
    recipe = _recipe(trained, meta, roster.universe())
    symbols = roster.symbols()
    chosen = frozenset(symbols[:: max(1, -(-len(symbols) // _SYMBOLS))])
    universe = sorted(roster.universe().union(symbols))
    bars = NewestBars(manager.store, trained.data.bars, universe, _HISTORY_BARS, [trained], choice, frozenset(symbols))
    context = bars.context(trained)
    table, _ = recipe.table(bars.of_universe())
    values, dates, series = [], [], bars.of_symbols(chosen)
    while chunk := list(islice(series, _CHUNK)):
        panel = recipe.panel(chunk, table, context)
        for i in range(len(panel.symbols)):
            rows = panel.rows(i)
            kept = slice(rows.start + panel.warmup, rows.stop)
            values.append(panel.features[kept])
            dates.append(panel.dates[kept])
    if not values:
        raise DataError(f"there are no bars of the symbols of {kind} {version}. Check `fleetcast data list`.")
    last = np.datetime64(str(meta["trained_to"])[:19], "ns")
    drift = feature_drift(
        np.concatenate(values),
        np.concatenate(dates),
        recipe.feature_names,
        last,
        config.recent_days,
        config.drift_false_rate,
    )
    too_few = (
        f"the newest {_HISTORY_BARS:,} bars of a symbol do not have two earlier periods of {config.recent_days} days; "
        "choose a smaller monitoring.recent_days"
    )
    stopped = tuple(_stopped(context, recipe.feature_names, newest))
    return VersionFeatures(drift, stopped, "" if drift.features else too_few)


def features_or_reason(
    manager: ModelManager, kind: Kind, version: str, newest: Mapping[str, np.datetime64], config: MonitoringConfig
) -> VersionFeatures:
    """Return the features, or none and why they are not known: monitoring goes on without an explanation."""
    try:
        return features_of_version(manager, kind, version, newest, config)
    except FleetcastError as error:
        return VersionFeatures(Drift([], float("nan")), (), str(error))


def _stopped(
    context: MarketContext | None, names: Sequence[str], newest: Mapping[str, np.datetime64]
) -> list[StoppedSource]:
    if context is None or context.alternative is None:
        return []
    read = sources_of(names)
    return [one for one in stopped_sources(context.alternative, newest) if one.name in read]


def _recipe(config: Any, meta: dict[str, Any], members: frozenset[str]) -> FeatureRecipe:
    facts = UniverseFacts(**meta["universe"]) if meta.get("universe") else UniverseFacts(MIN_SYMBOLS, 0)
    return FeatureRecipe(config, tuple(meta["feature_names"]), facts, members)
