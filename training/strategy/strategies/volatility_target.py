"""Long in everything that has a volatility forecast, in inverse proportion to it."""

from __future__ import annotations

import numpy as np

from training.strategy.series import Float
from training.strategy.spec import StrategySpec
from training.strategy.view import ForecastView


class VolatilityTarget:
    """Controls risk; it forecasts neither a direction nor a return."""

    def targets(self, view: ForecastView) -> Float:
        """Return 1 where there is a volatility forecast (D, S)."""
        return np.where(view.has_volatility, 1.0, 0.0)


SPEC = StrategySpec(
    name="volatility_target",
    title="long, sized by the volatility forecast",
    build=VolatilityTarget,
    needs=frozenset({"volatility"}),
    size="volatility_target",
    of_date=True,
)
