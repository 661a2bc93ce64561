"""Long where the forecast return is positive and short where it is negative, sized by its edge."""

from __future__ import annotations

import numpy as np

from training.strategy.series import Float
from training.strategy.spec import StrategySpec
from training.strategy.view import ForecastView


class Direction:
    """Takes the side of the expected return."""

    def targets(self, view: ForecastView) -> Float:
        """Return +1 or −1 (D, S); 0 where no return is expected."""
        return np.sign(view.expected_return)


SPEC = StrategySpec(
    name="direction",
    title="the side of the direction forecast, sized by fractional Kelly",
    build=Direction,
    needs=frozenset({"direction"}),
    size="kelly",
    of_date=True,
)
