"""Regimes of volatility, bar by bar."""

from __future__ import annotations

import numpy as np

from training.strategy.regime import Regimes, fit_regimes, forward_filter, most_likely
from training.strategy.series import Float, Ints


class RunningRegime:
    """The forward filter, with the regimes of the bars before the first forecast."""

    def __init__(self, states: int) -> None:
        self._states = states
        self._rows: list[Float] = []
        self._regimes: Regimes | None = None
        self._probability: Float | None = None

    def advance(self, log_variance: Float, is_forecast: bool) -> None:
        """Go on to a date with log variances (S,)."""
        if self._regimes is None:
            if not is_forecast:
                self._rows.append(log_variance)
                return
            self._regimes, self._probability = self._fitted(len(log_variance))
            self._rows.clear()
        self._probability = forward_filter(log_variance[None], self._regimes, self._probability)[-1]

    def most_likely(self) -> Ints:
        """Return the most likely regime (1, S) at the newest date; −1 if unknown."""
        if self._regimes is None:
            _, probability = self._fitted(len(self._rows[0]))
        else:
            probability = self._probability
        assert probability is not None
        return most_likely(probability[None])

    def _fitted(self, symbols: int) -> tuple[Regimes, Float | None]:
        """Return the regimes of the rows so far, and their probabilities at the newest; None before the first."""
        x = np.stack(self._rows) if self._rows else np.empty((0, symbols))
        regimes = fit_regimes(x, self._states)
        return regimes, forward_filter(x, regimes)[-1] if len(x) else None
