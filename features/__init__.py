"""Causal features, labels and splits from bars. Imports neither TensorFlow nor Ray.

Public names are imported on first use, so that importing the package is fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from configs.lazy import lazy_names

if TYPE_CHECKING:
    from configs.data import FeatureConfig, SplitConfig
    from configs.models import LabelConfig
    from configs.reading import ReadingConfig
    from features.alternative.known import KnownData
    from features.any_bars import load_bars
    from features.bars.schema import SymbolBars, bars_from_frame
    from features.catalog import describe_features
    from features.context import MarketContext
    from features.cross_validation import PurgedWalkForward
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
    "KnownData",
    "LabelConfig",
    "MarketContext",
    "Panel",
    "PurgedWalkForward",
    "ReadingConfig",
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
    "load_bars",
    "resolve_split",
    "select_features",
    "split_rows",
    "walk_forward",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "configs.data": ["FeatureConfig", "SplitConfig"],
        "configs.models": ["LabelConfig"],
        "configs.reading": ["ReadingConfig"],
        "features.alternative.known": ["KnownData"],
        "features.any_bars": ["load_bars"],
        "features.bars.schema": ["SymbolBars", "bars_from_frame"],
        "features.catalog": ["describe_features"],
        "features.context": ["MarketContext"],
        "features.cross_validation": ["PurgedWalkForward"],
        "features.engineer": ["EngineeredFeatures", "FeatureEngineer", "build_panel", "feature_names"],
        "features.panel": ["Panel"],
        "features.scaling": ["FleetScaler"],
        "features.selection": ["select_features"],
        "features.splits": ["Split", "SplitRows", "resolve_split", "split_rows", "walk_forward"],
        "features.universe": ["UniverseTable"],
        "features.universe_build": ["build_universe"],
    },
)
