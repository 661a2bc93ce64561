"""Bars in, causal features and windows out. Knows neither TensorFlow nor Ray.

Names are imported when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from configs.data import FeatureConfig, SplitConfig
    from configs.models import LabelConfig
    from features.bars.schema import SymbolBars, bars_from_frame
    from features.catalog import describe_features
    from features.context import MarketContext
    from features.engineer import EngineeredFeatures, FeatureEngineer, build_panel, feature_names
    from features.panel import Panel
    from features.scaling import FleetScaler
    from features.selection import select_features
    from features.splits import Split, SplitRows, resolve_split, split_rows, walk_forward
    from features.universe import UniverseTable
    from features.universe_build import build_universe

__all__ = [
    "EngineeredFeatures",
    "FeatureConfig",
    "FeatureEngineer",
    "FleetScaler",
    "LabelConfig",
    "MarketContext",
    "Panel",
    "Split",
    "SplitConfig",
    "SplitRows",
    "SymbolBars",
    "UniverseTable",
    "bars_from_frame",
    "build_panel",
    "build_universe",
    "describe_features",
    "feature_names",
    "resolve_split",
    "select_features",
    "split_rows",
    "walk_forward",
]

_HOMES = {
    "configs.data": ("FeatureConfig", "SplitConfig"),
    "configs.models": ("LabelConfig",),
    "features.bars.schema": ("SymbolBars", "bars_from_frame"),
    "features.catalog": ("describe_features",),
    "features.context": ("MarketContext",),
    "features.engineer": ("EngineeredFeatures", "FeatureEngineer", "build_panel", "feature_names"),
    "features.panel": ("Panel",),
    "features.scaling": ("FleetScaler",),
    "features.selection": ("select_features",),
    "features.splits": ("Split", "SplitRows", "resolve_split", "split_rows", "walk_forward"),
    "features.universe": ("UniverseTable",),
    "features.universe_build": ("build_universe",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'features' has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
