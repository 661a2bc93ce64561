"""What a run *is*: frozen, validated values. Imports nothing else of Fleetcast.

Names are imported when they are first used, so that importing an error class does not import pydantic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from configs.lazy import lazy_names

if TYPE_CHECKING:
    from configs.data import ContextConfig, DataConfig, FeatureConfig, SplitConfig
    from configs.errors import (
        ClusterError,
        ConfigError,
        DatabaseError,
        DatabaseUnavailableError,
        DataError,
        FleetcastError,
        LeaseLostError,
        ModelError,
        StoreError,
    )
    from configs.journal import JournalConfig
    from configs.load import config_hash, load_config, preset_names
    from configs.models import (
        BoostingConfig,
        DirectionConfig,
        FitConfig,
        ForestConfig,
        LabelConfig,
        NetworkConfig,
        VolatilityConfig,
    )
    from configs.operation import DeployConfig, RunConfig, ServeConfig
    from configs.schema import Config

__all__ = [
    "BoostingConfig",
    "ClusterError",
    "Config",
    "ConfigError",
    "ContextConfig",
    "DataConfig",
    "DataError",
    "DatabaseError",
    "DatabaseUnavailableError",
    "DeployConfig",
    "DirectionConfig",
    "FeatureConfig",
    "FitConfig",
    "FleetcastError",
    "ForestConfig",
    "JournalConfig",
    "LabelConfig",
    "LeaseLostError",
    "ModelError",
    "NetworkConfig",
    "RunConfig",
    "ServeConfig",
    "SplitConfig",
    "StoreError",
    "VolatilityConfig",
    "config_hash",
    "load_config",
    "preset_names",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "configs.data": ["ContextConfig", "DataConfig", "FeatureConfig", "SplitConfig"],
        "configs.errors": [
            "ClusterError",
            "ConfigError",
            "DataError",
            "DatabaseError",
            "DatabaseUnavailableError",
            "FleetcastError",
            "LeaseLostError",
            "ModelError",
            "StoreError",
        ],
        "configs.journal": ["JournalConfig"],
        "configs.load": ["config_hash", "load_config", "preset_names"],
        "configs.models": [
            "BoostingConfig",
            "DirectionConfig",
            "FitConfig",
            "ForestConfig",
            "LabelConfig",
            "NetworkConfig",
            "VolatilityConfig",
        ],
        "configs.operation": ["DeployConfig", "RunConfig", "ServeConfig"],
        "configs.schema": ["Config"],
    },
)
