"""What a forecast is worth: evaluation against baselines, verdicts, promotion, and simulated trading after costs.

``Costs`` and ``simulate`` are imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from training.validation.backtest.costs import Costs
    from training.validation.backtest.simulate import simulate

__all__ = ["Costs", "simulate"]

_HOME_OF = {
    "Costs": "training.validation.backtest.costs",
    "simulate": "training.validation.backtest.simulate",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'training.validation' has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
