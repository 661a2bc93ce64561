"""How members make one forecast: ``ln f = ln anchor + Σ w_m (ln f_m − ln anchor)``, each difference bounded.

Weights are not fitted. Members are trusted by the share ``n² / (n² + TRUST_ROWS²)``, with n the number of independent
rows that they were fitted on (:mod:`training.models.trust`); what is missing to one stays with the anchor, and 15 % of
it goes to each baseline. On a year of one symbol the forecast is the anchor's with a little of the baselines, on a
large universe an average of the members. Weights fitted to a year of validation were no better, and far worse on small
universes (``training/MEASUREMENTS.md``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from training.models.volatility.fleet_state import FleetState, Float
from training.models.volatility.member import MemberSpec

# Chosen on random windows of one symbol, 252 to 2,500 bars: from 300 to 2,000 the mean loss changes by less than 2 %.
TRUST_ROWS = 1_300.0
BASELINE_SHARE = 0.15  # of what members are not trusted with, for each baseline

_BOUNDS = (0.001, 0.999)
_DEFAULT_BOUND = float(np.log(2.0))


@dataclass(frozen=True, slots=True)
class Combination(FleetState):
    """The weights (1, M) of members and baselines, in order, and the bounds (1, M) of their corrections.

    ``trust`` (1,) is the share by which a member is shown and used: its forecast is ``anchor · (f_m / anchor)^trust``.
    """

    weights: Float
    low: Float
    high: Float
    trust: Float

    def corrections(self, anchor: Float, forecasts: Float) -> Float:
        """Return ln(f_m / anchor) (n, M) within the bounds; 0 where a member has no forecast."""
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.log(forecasts) - np.log(anchor)[:, None]
        return np.where(np.isfinite(logs), np.clip(logs, self.low[0], self.high[0]), 0.0)

    def log_correction(self, corrections: Float) -> Float:
        """Return what to add to the anchor's logarithm (n,)."""
        return np.asarray(corrections @ self.weights[0])


def combine(
    members: Sequence[MemberSpec],
    trust: float,
    anchor: Float,
    forecasts: Mapping[str, Float],
    alone: str | None = None,
) -> Combination:
    """Return the combination of these members, in order, or the one that takes member ``alone`` as it is.

    Bounds are those of the forecasts (n,) of training rows. What has no forecast there may differ from the anchor by a
    factor of two.
    """
    if alone is not None:
        chosen, wide = np.array([[float(spec.name == alone) for spec in members]]), np.full((1, len(members)), np.inf)
        return Combination(chosen, -wide, wide, np.ones(1))
    total = sum(spec.share for spec in members)
    weights = np.zeros(len(members))
    low, high = np.full(len(members), -_DEFAULT_BOUND), np.full(len(members), _DEFAULT_BOUND)
    for i, spec in enumerate(members):
        weights[i] = (1.0 - trust) * BASELINE_SHARE if spec.is_baseline else trust * spec.share / total
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.log(forecasts[spec.name]) - np.log(anchor)
        if (known := np.isfinite(logs)).any():
            low[i], high[i] = np.quantile(logs[known], _BOUNDS)
    low, high = np.minimum(low, 0.0), np.maximum(high, 0.0)
    return Combination(weights[None], low[None], high[None], np.array([trust]))
