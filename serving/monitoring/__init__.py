"""What live forecasts are worth: sequential tests that may be looked at every day, scores, drift, metrics.

Names are imported on first use, so that importing the package does not import pandas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from configs.lazy import lazy_names

if TYPE_CHECKING:
    from serving.monitoring.metrics import BotMetrics
    from serving.monitoring.monitor import Monitor
    from serving.monitoring.paired import PairedTest

__all__ = ["BotMetrics", "Monitor", "PairedTest"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "serving.monitoring.metrics": ["BotMetrics"],
        "serving.monitoring.monitor": ["Monitor"],
        "serving.monitoring.paired": ["PairedTest"],
    },
)
