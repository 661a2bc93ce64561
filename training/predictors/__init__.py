"""Predictors: a fleet with everything it takes to turn bars into forecasts."""

from training.predictors.base import BasePredictor
from training.predictors.direction import PriceDirectionPredictor

__all__ = ["BasePredictor", "PriceDirectionPredictor"]
