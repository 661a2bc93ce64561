"""Limits of a portfolio: each scales positions towards 0, so one that is met stays met by the next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from configs.strategy import CapConfig
from training.strategy.correlation import covariance, portfolio_volatility
from training.strategy.series import Float, Ints, Mask

_ROUNDING = 1e-12  # positions that exceed a limit by rounding only are left as they are


@dataclass(frozen=True, eq=False)
class Limits:
    """Limits on one date. ``group`` (S,) labels correlated symbols, ``volatility`` (S,) is annualised.

    ``stuck`` (S,) are weights that cannot be traded. They count, so that others have the room that these leave: none
    under a limit that they exceed by themselves.
    """

    caps: CapConfig
    short: bool
    group: Ints
    correlation: Float
    volatility: Float
    stuck: Float

    def __call__(self, weights: Float) -> Float:
        """Return weights (S,) within the limits: of names, groups, the gross and net sum, and volatility."""
        w = weights if self.short else np.maximum(weights, 0.0)
        w = np.clip(w, -self.caps.name, self.caps.name)
        w = cap_groups(w, self.group, self.caps.group, self.stuck)
        w = w * _share(float(np.abs(w).sum()), max(self.caps.gross - float(np.abs(self.stuck).sum()), 0.0))
        w = cap_net(w, self.caps.net, self.stuck)
        if self.caps.volatility is not None and w.any():
            w = w * volatility_share(w, self.stuck, self.volatility, self.correlation, self.caps.volatility)
        return w + 0.0  # a short position without room is 0, not −0


def cap_groups(weights: Float, group: Ints, most: float, stuck: Float) -> Float:
    """Return weights (S,) such that the sizes within each group (S,), with those stuck, sum to at most ``most``."""
    total = np.bincount(group, weights=np.abs(weights))
    room = np.maximum(most - np.bincount(group, weights=np.abs(stuck)), 0.0)
    share = np.where(total > room * (1.0 + _ROUNDING), room / np.where(total > room, total, 1.0), 1.0)
    return weights * share[group]


def cap_net(weights: Float, most: float, stuck: Float) -> Float:
    """Return weights (S,) whose sum with those stuck is within ±``most``: the larger side is scaled down."""
    (long, short), (stuck_long, stuck_short) = _sides(weights), _sides(stuck)
    if long + stuck_long >= short + stuck_short:
        share = _share(long, max(short + stuck_short + most - stuck_long, 0.0))
        return np.where(weights > 0.0, weights * share, weights)
    share = _share(short, max(long + stuck_long + most - stuck_short, 0.0))
    return np.where(weights < 0.0, weights * share, weights)


def volatility_share(weights: Float, stuck: Float, volatility: Float, correlation: Float, most: float) -> float:
    """Return the largest share, up to 1, of weights (S,) whose volatility with those stuck is at most ``most``.

    It is 0 if the volatility of those stuck alone is not below ``most``.
    """
    share = _share(portfolio_volatility(weights + stuck, volatility, correlation), most)
    if share == 1.0 or not stuck.any():
        return share
    # The share x solves a x² + 2 b x = room.
    a = covariance(weights * volatility, weights * volatility, correlation)
    b = covariance(weights * volatility, stuck * volatility, correlation)
    room = most * most - portfolio_volatility(stuck, volatility, correlation) ** 2
    if room <= 0.0:
        return 0.0
    root = float(np.sqrt(max(b * b + a * room, 0.0)))
    return room / (b + root) if b > 0.0 else (root - b) / a


def cap_turnover(held: Float, target: Float, most: float) -> Float:
    """Return weights (S,) on the straight line from what is held to the target, with changes that sum to ``most``."""
    change = target - held
    share = _share(float(np.abs(change).sum()), most)
    return target if share == 1.0 else held + share * change


def in_band(held: Float, target: Float, band: float) -> Mask:
    """Return where a target (S,) is so near to what is held that it is not worth a trade; closing always is."""
    size = np.maximum(np.abs(held), np.abs(target))
    return np.asarray((np.abs(target - held) < band * size) & (target != 0.0))


def _sides(weights: Float) -> tuple[float, float]:
    """Return the sums of long and of short weights (S,), both positive."""
    return float(np.maximum(weights, 0.0).sum()), float(np.maximum(-weights, 0.0).sum())


def _share(value: float, most: float) -> float:
    return most / value if value > most * (1.0 + _ROUNDING) and value > 0.0 else 1.0
