"""Fit, evaluate and keep fleets of direction and volatility models.

Names are imported when they are first used, so that importing the package does not import TensorFlow.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from training.backtest_validator import BacktestValidator
    from training.predictors.base import BasePredictor
    from training.predictors.direction import PriceDirectionPredictor
    from training.predictors.ensemble import EnsemblePredictor
    from training.predictors.volatility import VolatilityPredictor
    from training.registry.manager import ModelManager
    from training.trainer import ModelTrainer

__all__ = [
    "BacktestValidator",
    "BasePredictor",
    "EnsemblePredictor",
    "ModelManager",
    "ModelTrainer",
    "PriceDirectionPredictor",
    "VolatilityPredictor",
]

_HOME_OF = {
    "BacktestValidator": "training.backtest_validator",
    "BasePredictor": "training.predictors.base",
    "EnsemblePredictor": "training.predictors.ensemble",
    "ModelManager": "training.registry.manager",
    "ModelTrainer": "training.trainer",
    "PriceDirectionPredictor": "training.predictors.direction",
    "VolatilityPredictor": "training.predictors.volatility",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'training' has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
