"""Serve fitted fleets: the prediction engine, and the HTTP application that runs it.

Names are imported on first use, so that importing the package does not import TensorFlow.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from serving.answers import Prediction, PredictionRequest, PredictionResponse
    from serving.bot.prediction_bot import MLPredictionBot
    from serving.client import FleetcastClient
    from serving.engine import PredictionEngine

__all__ = [
    "FleetcastClient",
    "MLPredictionBot",
    "Prediction",
    "PredictionEngine",
    "PredictionRequest",
    "PredictionResponse",
]

_MODULES = {
    "FleetcastClient": "serving.client",
    "MLPredictionBot": "serving.bot.prediction_bot",
    "Prediction": "serving.answers",
    "PredictionEngine": "serving.engine",
    "PredictionRequest": "serving.answers",
    "PredictionResponse": "serving.answers",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'serving' has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
