"""From forecasts to positions: pure functions that a backtest and a trading bot share.

A strategy says which positions it wants (``strategies/``); :func:`~training.strategy.pipeline.decide` filters, sizes
and limits them, and gives every position of 0 its reason. Nothing in here reads a store or trades.

The public names are imported when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from configs.lazy import lazy_names

if TYPE_CHECKING:
    from training.strategy.decision_frames import Decisions
    from training.strategy.follow import PortfolioState
    from training.strategy.pipeline import decide
    from training.strategy.signal import Signal
    from training.strategy.spec import Targets
    from training.strategy.strategy_look_ahead import check_past_only
    from training.strategy.view import ForecastView
    from training.strategy.view_builder import read_view

__all__ = ["Decisions", "ForecastView", "PortfolioState", "Signal", "Targets", "check_past_only", "decide", "read_view"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "training.strategy.decision_frames": ["Decisions"],
        "training.strategy.follow": ["PortfolioState"],
        "training.strategy.strategy_look_ahead": ["check_past_only"],
        "training.strategy.pipeline": ["decide"],
        "training.strategy.signal": ["Signal"],
        "training.strategy.spec": ["Targets"],
        "training.strategy.view_builder": ["read_view"],
        "training.strategy.view": ["ForecastView"],
    },
)
