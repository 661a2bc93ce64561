"""Serve fitted fleets: the prediction engine, and the HTTP application that runs it.

Names are imported on first use, so that importing the package does not import TensorFlow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from configs.lazy import lazy_names

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

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "serving.answers": ["Prediction", "PredictionRequest", "PredictionResponse"],
        "serving.bot.prediction_bot": ["MLPredictionBot"],
        "serving.client": ["FleetcastClient"],
        "serving.engine": ["PredictionEngine"],
    },
)
