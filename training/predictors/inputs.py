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
) -> Panel:
    """Return the panel of ``bars`` with features relative to all of ``universe``; see :func:`build_panel`."""
    table = build_universe(universe, config.features)
    return build_panel(bars, config.features, table, context, config.direction.label, columns=columns)


def some(symbols: Sequence[str], most: int = 5) -> str:
    """Return the first of these names, and how many more there are."""
    return ", ".join(symbols[:most]) + (f" and {len(symbols) - most} more" if len(symbols) > most else "")
