"""Predictors: a fleet with everything it takes to turn bars into forecasts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from training.predictors.bars_predictor import BarsPredictor
from training.predictors.kinds import predictor_class

if TYPE_CHECKING:
    from training.registry.blocks import Block

__all__ = ["BarsPredictor", "predictor_class", "predictor_from_block"]


def predictor_from_block(block: Block, symbols: Sequence[str] | None = None) -> BarsPredictor:
    """Return the fitted predictor that a block holds, of all its symbols or of some."""
    return predictor_class(block.kind).from_state(block.symbols, block.arrays, block.meta, symbols)
