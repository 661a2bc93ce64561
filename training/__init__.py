"""Fit, evaluate and keep fleets of direction and volatility models.

Names are imported when they are first used, so that importing the package does not import TensorFlow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from configs.lazy import lazy_names

if TYPE_CHECKING:
    from training.backtest_validator import BacktestValidator
    from training.predictors.base import BasePredictor
    from training.predictors.ensemble import EnsemblePredictor
    from training.predictors.kinds.direction import PriceDirectionPredictor
    from training.predictors.kinds.volatility import VolatilityPredictor
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

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "training.backtest_validator": ["BacktestValidator"],
        "training.predictors.base": ["BasePredictor"],
        "training.predictors.kinds.direction": ["PriceDirectionPredictor"],
        "training.predictors.ensemble": ["EnsemblePredictor"],
        "training.predictors.kinds.volatility": ["VolatilityPredictor"],
        "training.registry.manager": ["ModelManager"],
        "training.trainer": ["ModelTrainer"],
    },
)
