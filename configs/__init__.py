"""What a run *is*: frozen, validated values. Imports nothing of Fleetcast."""

from configs.errors import ClusterError, ConfigError, DataError, FleetcastError, ModelError, StoreError
from configs.load import config_hash, load_config, preset_names
from configs.schema import (
    Config,
    ContextConfig,
    DataConfig,
    DirectionConfig,
    FeatureConfig,
    FitConfig,
    ForestConfig,
    LabelConfig,
    NetworkConfig,
    RunConfig,
    SplitConfig,
    VolatilityConfig,
)

__all__ = [
    "ClusterError",
    "Config",
    "ConfigError",
    "ContextConfig",
    "DataConfig",
    "DataError",
    "DirectionConfig",
    "FeatureConfig",
    "FitConfig",
    "FleetcastError",
    "ForestConfig",
    "LabelConfig",
    "ModelError",
    "NetworkConfig",
    "RunConfig",
    "SplitConfig",
    "StoreError",
    "VolatilityConfig",
    "config_hash",
    "load_config",
    "preset_names",
]
