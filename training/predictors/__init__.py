"""Predictors: a fleet with everything it takes to turn bars into forecasts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from configs.errors import ModelError
from training.predictors.base import BasePredictor
from training.predictors.direction import PriceDirectionPredictor
from training.predictors.volatility import VolatilityPredictor

if TYPE_CHECKING:
    from training.blocks import Block

__all__ = [
    "BasePredictor",
    "PriceDirectionPredictor",
    "VolatilityPredictor",
    "predictor_class",
    "predictor_from_block",
]

_CLASSES: dict[str, type[BasePredictor]] = {c.kind: c for c in (PriceDirectionPredictor, VolatilityPredictor)}


def predictor_class(kind: str) -> type[BasePredictor]:
    """Return the predictor of a kind of model."""
    if kind not in _CLASSES:
        raise ModelError(f"kind {kind!r} does not exist. Choose one of: {', '.join(_CLASSES)}.")
    return _CLASSES[kind]


def predictor_from_block(block: Block, symbols: Sequence[str] | None = None) -> BasePredictor:
    """Return the fitted predictor that a block holds, of all its symbols or of some."""
    return predictor_class(block.kind).from_state(block.symbols, block.arrays, block.meta, symbols)
