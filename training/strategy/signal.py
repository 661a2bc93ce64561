"""What a strategy says of one symbol at one close."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Action = Literal["buy", "sell", "hold", "none"]


@dataclass(frozen=True, slots=True)
class Signal:
    """The position to hold from the next bar on.

    Parameters
    ----------
    symbol, as_of
        The close after which it was decided; everything in it was known then.
    action
        ``buy`` or ``sell`` to reach the position, ``hold`` to keep what is held, ``none`` to stay without one.
    direction
        ``up``, ``down`` or ``sideways``: where the probabilities of up and down lean; None without a forecast.
    confidence
        Probability of that direction; None without a forecast.
    strength
        Rank of |p_up − p_down| among all past forecasts, from 0 to 1; None without any.
    position_size
        Signed share of equity; negative is short.
    stop, take_profit
        Prices at which the position is closed; None for none.
    volatility
        Forecast, annualised; None without a forecast.
    regime
        ``calm``, ``normal`` or ``turbulent``; ``unknown`` without enough past bars.
    reasons
        Why ``position_size`` is 0; empty if it is not.
    """

    symbol: str
    as_of: np.datetime64
    action: Action
    direction: Literal["down", "sideways", "up"] | None
    confidence: float | None
    strength: float | None
    position_size: float
    stop: float | None
    take_profit: float | None
    volatility: float | None
    regime: str
    reasons: tuple[str, ...]
