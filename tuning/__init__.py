"""Search for the settings of fleets, on folds before the test period.

Names are imported when they are first used, so that importing the package does not import TensorFlow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from configs.lazy import lazy_names

if TYPE_CHECKING:
    from tuning.optimizer import Callbacks, HyperparameterOptimizer

__all__ = ["Callbacks", "HyperparameterOptimizer"]

__getattr__, __dir__ = lazy_names(__name__, {"tuning.optimizer": __all__})
