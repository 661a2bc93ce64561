"""Conformal intervals around variance forecasts."""

from __future__ import annotations

import numpy as np

from training.volatility.state import Float, Ints


def conformal_ends(
    errors: Float, index: Ints, size: int, horizon: int, level: float, pooled: Float | None, shrinkage: float
) -> Float:
    """Return lower and upper quantiles (S, 2) of ln(y / f), corrected for the finite sample.

    Split conformal prediction (Lei et al. 2018, JASA 113, section 2.2) at both tails: rank ⌈(m + 1)(1 − α/2)⌉ of m.
    Overlapping targets are not exchangeable, so m is the number of rows over the horizon. With a pool, a symbol's
    quantile is averaged with it by m against ``shrinkage``.
    """
    order = np.argsort(index, kind="stable")
    bounds = np.concatenate([[0], np.cumsum(np.bincount(index, minlength=size))])
    prior = np.array([-np.inf, np.inf]) if pooled is None else pooled
    ends = np.tile(prior, (size, 1))
    for i in range(size):
        own = errors[order[bounds[i] : bounds[i + 1]]]
        m = len(own) / horizon
        if m < 1:
            continue
        rank = min(np.ceil((m + 1) * (0.5 + level / 2)) / m, 1.0)
        tails = np.array([-np.quantile(-own, rank, method="higher"), np.quantile(own, rank, method="higher")])
        weight = m / (m + shrinkage)
        ends[i] = tails if pooled is None else weight * tails + (1.0 - weight) * pooled
    return ends
