"""Search for the settings of fleets, on folds before the test period.

Names are imported when they are first used, so that importing the package does not import TensorFlow.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tuning.optimizer import Callbacks, HyperparameterOptimizer

__all__ = ["Callbacks", "HyperparameterOptimizer"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'tuning' has no attribute {name!r}")
    return getattr(import_module("tuning.optimizer"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
