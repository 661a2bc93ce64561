"""The side of the direction forecast, larger for stronger forecasts, sized by the volatility forecast."""

from __future__ import annotations

import numpy as np

from training.strategy.series import Float
from training.strategy.spec import StrategySpec
from training.strategy.view import ForecastView


class DirectionTimesVolatility:
    """Takes the side of the expected return, in proportion to its strength among past forecasts."""

    def targets(self, view: ForecastView) -> Float:
        """Return the side times the strength (D, S); a forecast with no earlier one to compare with has half."""
        strength = np.where(np.isnan(view.strength), 0.5, view.strength)
        return np.sign(view.expected_return) * strength


SPEC = StrategySpec(
    name="direction_x_volatility",
    title="the side and strength of the direction forecast, sized by the volatility forecast",
    build=DirectionTimesVolatility,
    needs=frozenset({"direction", "volatility"}),
    size="volatility_target",
    of_date=True,
)
