"""Predictors: a fleet with everything it takes to turn bars into forecasts."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from configs.errors import ModelError
from training.predictors.base import BasePredictor

if TYPE_CHECKING:
    from training.registry.blocks import Block

__all__ = ["BasePredictor", "predictor_class", "predictor_from_block"]

_HOMES = {
    "direction": ("training.predictors.direction", "PriceDirectionPredictor"),
    "volatility": ("training.predictors.volatility", "VolatilityPredictor"),
}


def predictor_class(kind: str) -> type[BasePredictor]:
    """Return the predictor of a kind of model."""
    if kind not in _HOMES:
        raise ModelError(f"kind {kind!r} does not exist. Choose one of: {', '.join(_HOMES)}.")
    home, name = _HOMES[kind]
    found: type[BasePredictor] = getattr(import_module(home), name)
    return found


def predictor_from_block(block: Block, symbols: Sequence[str] | None = None) -> BasePredictor:
    """Return the fitted predictor that a block holds, of all its symbols or of some."""
    return predictor_class(block.kind).from_state(block.symbols, block.arrays, block.meta, symbols)
