"""What a forecast is worth: evaluation against baselines, verdicts, promotion, and simulated trading after costs.

``Costs`` and ``simulate`` are imported when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from configs.lazy import lazy_names

if TYPE_CHECKING:
    from training.validation.backtest.costs import Costs
    from training.validation.backtest.simulate import simulate

__all__ = ["Costs", "simulate"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {"training.validation.backtest.costs": ["Costs"], "training.validation.backtest.simulate": ["simulate"]},
)
