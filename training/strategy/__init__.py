"""From forecasts to positions: pure functions that a backtest and a trading bot share.

A strategy says which positions it wants (``strategies/``); :func:`~training.strategy.pipeline.decide` filters, sizes
and limits them, and gives every position of 0 its reason. Nothing in here reads a store or trades.

The public names are imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from training.strategy.decisions import Decisions
    from training.strategy.follow import Held
    from training.strategy.look_ahead import check_past_only
    from training.strategy.pipeline import decide
    from training.strategy.signal import Signal
    from training.strategy.spec import Targets
    from training.strategy.tables import read_view
    from training.strategy.view import ForecastView

__all__ = ["Decisions", "ForecastView", "Held", "Signal", "Targets", "check_past_only", "decide", "read_view"]

_HOME_OF = {
    "Decisions": "training.strategy.decisions",
    "ForecastView": "training.strategy.view",
    "Held": "training.strategy.follow",
    "Signal": "training.strategy.signal",
    "Targets": "training.strategy.spec",
    "check_past_only": "training.strategy.look_ahead",
    "decide": "training.strategy.pipeline",
    "read_view": "training.strategy.tables",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'training.strategy' has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
