"""Long the symbols with the best forecasts of a date and short those with the worst."""

from __future__ import annotations

import numpy as np

from configs.errors import ConfigError, shown
from training.strategy.series import Float
from training.strategy.spec import StrategySpec
from training.strategy.view import ForecastView


class RelativeRank:
    """Holds the extreme ``share`` of symbols on each side, at least one, in proportion to inverse volatility.

    Raises
    ------
    ConfigError
        ``share`` is not above 0 and at most 0.5.
    """

    def __init__(self, share: float = 0.2) -> None:
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0.0 < share <= 0.5:
            raise ConfigError(
                f"strategy.parameters.share has value {shown(share)}; expected a number above 0 and at most 0.5."
            )
        self.share = share

    def targets(self, view: ForecastView) -> Float:
        """Return +1 for the best, −1 for the worst and 0 for the others (D, S).

        Symbols with equal forecasts at the edge of a side are held together or not at all, so the order of symbols does
        not matter.
        """
        score = view.expected_return
        known = np.isfinite(score)
        count = known.sum(axis=1, keepdims=True)
        side = np.minimum(np.maximum(np.floor(self.share * count + 1e-9), 1.0), count // 2)
        best = _rank(np.where(known, -score, np.inf)) <= side
        worst = _rank(np.where(known, score, np.inf)) <= side
        return np.where(known & best, 1.0, 0.0) - np.where(known & worst, 1.0, 0.0)


def _rank(values: Float) -> Float:
    """Return how many values of the row are at most as large as each (D, S)."""
    ordered = np.sort(values, axis=1)
    return np.stack([np.searchsorted(row, own, side="right") for row, own in zip(ordered, values, strict=True)]).astype(
        np.float64
    )


SPEC = StrategySpec(
    name="relative_rank",
    title="long the best and short the worst forecasts of each date, at equal risk",
    build=RelativeRank,
    needs=frozenset({"direction"}),
    size="equal_risk",
    relative=True,
    of_date=True,
)
