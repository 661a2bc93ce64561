"""From what a person has at hand, a frame or bars, to the panel that predictors read."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

import pandas as pd

from configs.data import FeatureConfig
from configs.errors import require
from configs.schema import Config
from features.bars.schema import SymbolBars
from features.context import MarketContext
from features.engineer import build_panel
from features.feature_plan import universe_columns
from features.panel import Panel
from features.universe import MIN_SYMBOLS, UniverseFacts, UniverseTable
from features.universe_build import build_universe

AnyContext: TypeAlias = pd.DataFrame | MarketContext
"""Market series in long form (``date, series, value``), or as the features read them."""


def context_of(context: AnyContext | None, config: Config) -> MarketContext | None:
    """Return market series as the features read them; of a frame those that ``config.data.context`` names."""
    if context is None or isinstance(context, MarketContext):
        return context
    require(context, pd.DataFrame, "context", "a data frame with date, series and value, or a MarketContext")
    return MarketContext.from_frame(context, config.data.context)


def panel_of(
    bars: Sequence[SymbolBars],
    universe: Sequence[SymbolBars] | UniverseTable,
    config: Config,
    context: MarketContext | None,
    columns: Sequence[str] | None,
) -> Panel:
    """Return the panel of ``bars`` with features relative to all of ``universe``; see :func:`build_panel`."""
    table = universe if isinstance(universe, UniverseTable) else build_universe(universe, config.features)
    return build_panel(bars, config.features, table, context, config.direction.label, columns=columns)


def universe_as_fitted(
    universe: Sequence[SymbolBars] | UniverseTable,
    config: FeatureConfig,
    columns: Sequence[str],
    fitted: UniverseFacts | None,
) -> UniverseTable:
    """Return the table that a fitted model's features are computed from: with its lag, and of a universe like its own.

    A rank among two symbols is not the rank among five hundred that the model learned from. So of a universe of less
    than half as many symbols nothing is taken: its features are missing, which models read as the training centre.

    Parameters
    ----------
    universe
        All bars at hand, or a table that was built of them.
    columns
        The model's features.
    fitted
        What the model remembers; None, of a panel made by hand, stands for the smallest universe there is.

    Warns
    -----
    UserWarning
        Features are missing because too few symbols are given.
    """
    fitted = fitted or UniverseFacts(MIN_SYMBOLS, 0)
    if not universe_columns(config).intersection(columns):
        return UniverseTable.unknown(config.lookback_periods, fitted.lag)
    if isinstance(universe, UniverseTable):
        table = replace(universe, lag=fitted.lag)
    else:
        table = build_universe(universe, config.model_copy(update={"universe_lag": fitted.lag}))
    if resembles(table, fitted):
        return table
    warnings.warn(
        f"cross-asset features count as missing: bars of {table.members} of the universe's symbols are given, and the "
        f"model was fitted with {fitted.members}. Give the bars of at least half of them, or universe= a table built "
        "of them (features.build_universe).",
        stacklevel=5,
    )
    return UniverseTable.unknown(config.lookback_periods, fitted.lag)


def resembles(table: UniverseTable, fitted: UniverseFacts) -> bool:
    """Whether a universe has at least half as many symbols as the one that a model was fitted with."""
    return 2 * table.members >= fitted.members and not table.is_empty
