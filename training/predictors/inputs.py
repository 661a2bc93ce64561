"""From what a person has at hand, a frame or bars, to the panel that predictors read."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias, Union

from configs.schema import Config
from features.bars import SymbolBars, bars_from_frame
from features.context import MarketContext
from features.engineer import build_panel
from features.panel import Panel
from features.universe import NO_UNIVERSE, UniverseFacts
from features.universe_build import build_universe

if TYPE_CHECKING:
    import pandas as pd

AnyBars: TypeAlias = Union["pd.DataFrame", SymbolBars, Sequence[SymbolBars]]
"""A frame in any common spelling (one symbol or many; one without a name is ``SYMBOL``), or validated bars."""


def listed(bars: AnyBars) -> list[SymbolBars]:
    """Return the bars of each symbol.

    Warns
    -----
    UserWarning
        Rows of a frame break a rule of :mod:`features.validation` and are left out.
    """
    if isinstance(bars, SymbolBars):
        return [bars]
    if isinstance(bars, Sequence):
        return list(bars)
    found, quarantine = bars_from_frame(bars, unnamed="SYMBOL")
    if lost := quarantine.lost():
        rules = ", ".join(f"{rule} {count}" for rule, count in quarantine.counts().items())
        warnings.warn(
            f"{sum(lost.values())} rows of {some(sorted(lost))} break a rule and are left out ({rules})", stacklevel=4
        )
    return found


def panel_of(
    bars: Sequence[SymbolBars],
    universe: Sequence[SymbolBars],
    config: Config,
    context: MarketContext | None,
    columns: Sequence[str] | None,
    remembered: UniverseFacts | None = None,
) -> Panel:
    """Return the panel of ``bars`` with features relative to all of ``universe``; see :func:`build_panel`.

    ``remembered`` is what a fitted model's universe was: it decides on the day that bars see, and where less than half
    as many symbols are given, features relative to the universe are missing rather than of another universe.

    Warns
    -----
    UserWarning
        They are missing.
    """
    features, table = config.features, None
    if remembered is not None:
        as_of = "day_before" if remembered.lagged else "same_day"
        features = features.model_copy(update={"universe_as_of": as_of})
    if remembered != NO_UNIVERSE:
        table = build_universe(universe, features)
    if remembered is not None and table is not None and 2 * table.facts.symbols < remembered.symbols:
        warnings.warn(
            f"bars of {len(universe)} symbols are given to a model that was fitted with a universe of "
            f"{remembered.symbols}: features relative to the universe count as missing. Give bars of more symbols",
            stacklevel=4,
        )
        table = None
    return build_panel(bars, features, table, context, config.direction.label, columns=columns)


def some(symbols: Sequence[str], most: int = 5) -> str:
    """Return the first of these names, and how many more there are."""
    return ", ".join(symbols[:most]) + (f" and {len(symbols) - most} more" if len(symbols) > most else "")
