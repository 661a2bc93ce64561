"""Limits of a portfolio: each scales positions towards 0, so one that is met stays met by the next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from configs.strategy import CapConfig
from training.strategy.correlation import portfolio_volatility
from training.strategy.series import Float, Ints, Mask

_ROUNDING = 1e-12  # positions that exceed a limit by rounding only are left as they are


@dataclass(frozen=True, eq=False)
class Limits:
    """Limits on one date. ``group`` (S,) labels correlated symbols, ``volatility`` (S,) is annualised."""

    caps: CapConfig
    short: bool
    group: Ints
    correlation: Float
    volatility: Float

    def __call__(self, weights: Float) -> Float:
        """Return weights (S,) within the limits: of names, groups, the gross and net sum, and volatility."""
        w = weights if self.short else np.maximum(weights, 0.0)
        w = np.clip(w, -self.caps.name, self.caps.name)
        w = cap_groups(w, self.group, self.caps.group)
        w = w * _share(float(np.abs(w).sum()), self.caps.gross)
        w = cap_net(w, self.caps.net)
        if self.caps.volatility is None or not w.any():
            return w
        return w * _share(portfolio_volatility(w, self.volatility, self.correlation), self.caps.volatility)


def cap_groups(weights: Float, group: Ints, most: float) -> Float:
    """Return weights (S,) such that the sizes within each group (S,) sum to at most ``most``."""
    total = np.bincount(group, weights=np.abs(weights))
    share = np.where(total > most * (1.0 + _ROUNDING), most / np.where(total > 0.0, total, 1.0), 1.0)
    return weights * share[group]


def cap_net(weights: Float, most: float) -> Float:
    """Return weights (S,) whose sum is between −``most`` and ``most``: the larger side is scaled down."""
    long, short = float(np.maximum(weights, 0.0).sum()), float(np.maximum(-weights, 0.0).sum())
    larger, smaller = max(long, short), min(long, short)
    share = _share(larger, smaller + most)
    of_larger = weights > 0.0 if long >= short else weights < 0.0
    return np.where(of_larger, weights * share, weights)


def cap_turnover(held: Float, target: Float, most: float) -> Float:
    """Return weights (S,) on the straight line from what is held to the target, with changes that sum to ``most``."""
    change = target - held
    share = _share(float(np.abs(change).sum()), most)
    return target if share == 1.0 else held + share * change


def in_band(held: Float, target: Float, band: float) -> Mask:
    """Return where a target (S,) is so near to what is held that it is not worth a trade; closing always is."""
    size = np.maximum(np.abs(held), np.abs(target))
    return np.asarray((np.abs(target - held) < band * size) & (target != 0.0))


def _share(value: float, most: float) -> float:
    return most / value if value > most * (1.0 + _ROUNDING) and value > 0.0 else 1.0
