"""What live forecasts are worth: sequential tests that may be looked at every day, scores, drift, metrics.

Names are imported on first use, so that importing the package does not import pandas.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from serving.monitoring.metrics import BotMetrics
    from serving.monitoring.monitor import Monitor
    from serving.monitoring.paired import PairedTest

__all__ = ["BotMetrics", "Monitor", "PairedTest"]

_MODULES = {
    "BotMetrics": "serving.monitoring.metrics",
    "Monitor": "serving.monitoring.monitor",
    "PairedTest": "serving.monitoring.paired",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'serving.monitoring' has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
