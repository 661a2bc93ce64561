r"""Loss gaps between a forecast and a reference, with bounds that are known before the outcome.

All losses are strictly consistent for what is forecast, so the better forecast has the lower expected loss:

- Direction: the Brier score. For forecasts p, q and class k the gap is :math:`|p - e_k|^2 - |q - e_k|^2`, one of three
  numbers that are known when p and q are.
- Volatility: QLIKE. The gap :math:`y (1/f - 1/b) + \ln(f/b)` is linear in the outcome y, which is capped at a multiple
  of the larger forecast; so its bounds are those at 0 and at the cap. What is tested is thus the loss of the capped
  variance, which a single crash cannot decide.

If the model is right, its expected gain is the divergence of the two forecasts, :math:`|p - q|^2` or
:math:`f/b - 1 - \ln(f/b)`. That is what it *claims*, before any outcome.

References
----------
Gneiting & Raftery (2007). Strictly proper scoring rules. JASA 102, 359-378.
Patton (2011). Volatility forecast comparison using imperfect volatility proxies. J. Econometrics 160, 246-256.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from training.metrics.classification import CLASSES, check_direction
from training.metrics.ratio import Array

OUTLIER = 10.0


class LossGaps(NamedTuple):
    """Loss less the reference's, by row (n,); lower is better.

    Attributes
    ----------
    gap
        The loss of the forecast less that of the reference.
    claim
        The gain that the forecast expects of itself, ≥ 0.
    room
        How much better than the reference the outcome could at most have shown the forecast: gap ≥ −room. It is known
        before the outcome, and at least ``claim``.
    """

    gap: Array
    claim: Array
    room: Array


def direction_gaps(labels: npt.ArrayLike, probabilities: npt.ArrayLike, reference: npt.ArrayLike) -> LossGaps:
    """Return the gaps of Brier scores of classes (n,) under probabilities (n, 3) and a reference's (n, 3).

    Raises
    ------
    ValueError
        As :func:`training.metrics.classification.check_direction` does.
    """
    y, p = check_direction(labels, probabilities)
    _, q = check_direction(labels, reference)
    base = (p**2).sum(axis=1) - (q**2).sum(axis=1)
    by_class = base[:, None] - 2.0 * (p - q)
    claim = ((p - q) ** 2).sum(axis=1)
    return LossGaps(by_class[np.arange(len(y)), y], claim, np.maximum(-by_class[:, :CLASSES].min(axis=1), claim))


def volatility_gaps(
    target: npt.ArrayLike, forecast: npt.ArrayLike, reference: npt.ArrayLike, outlier: float = OUTLIER
) -> LossGaps:
    """Return the gaps of QLIKE of variances (n,) under forecasts (n,) and a reference's (n,), all per bar.

    Raises
    ------
    ValueError
        Shapes differ, an outcome is negative or not finite, or a forecast is not finite and positive.
    """
    y, f, b = (np.asarray(one, dtype=np.float64) for one in (target, forecast, reference))
    if not y.shape == f.shape == b.shape or y.ndim != 1:
        raise ValueError(f"outcomes and forecasts have shapes {y.shape}, {f.shape} and {b.shape}; expected one (n,)")
    if not (np.isfinite(y) & (y >= 0)).all() or not all((np.isfinite(one) & (one > 0)).all() for one in (f, b)):
        raise ValueError("variances must be finite, forecasts above 0 and outcomes at least 0")
    ratio = f / b
    log_ratio = np.log(ratio)
    cap = outlier * np.maximum(f, b)
    slope = 1.0 / f - 1.0 / b
    claim = np.maximum(ratio - 1.0 - log_ratio, 0.0)
    lowest = np.minimum(log_ratio, cap * slope + log_ratio)
    return LossGaps(np.minimum(y, cap) * slope + log_ratio, claim, np.maximum(-lowest, claim))


def excess_loss(gaps: LossGaps, realised_share: npt.ArrayLike = 0.0) -> tuple[Array, Array]:
    r"""Return by row (n,) how much a loss exceeds what a null hypothesis allows, and the bound of minus that.

    The null hypothesis is that at least ``realised_share`` (n,) or (), in [0, 1], of the claimed gain comes true in
    expectation: :math:`E[gap + share \cdot claim] \le 0`. 0 means: no worse than the reference.
    """
    share = np.clip(np.asarray(realised_share, dtype=np.float64), 0.0, 1.0)
    return gaps.gap + share * gaps.claim, gaps.room - share * gaps.claim


def excess_misses(missed: npt.ArrayLike, allowed: npt.ArrayLike) -> tuple[Array, Array]:
    """Return misses (n,) in {0, 1} less the probability (n,) of one that is allowed, and the bound of minus that."""
    miss, rate = np.broadcast_arrays(np.asarray(missed, np.float64), np.asarray(allowed, np.float64))
    if not np.isin(miss, (0.0, 1.0)).all() or not ((rate > 0) & (rate < 1)).all():
        raise ValueError("misses must be 0 or 1, and the allowed share above 0 and below 1")
    return miss - rate, rate.copy()


def step_gap(excess: float, room: float, most: float = np.inf) -> float:
    r"""Return the gap of one step, at least −1, from the sums over its rows: :math:`\min(excess / room, most)`.

    It is the average of the rows' gaps :math:`excess_i / room_i` with weights in proportion to ``room``, which are
    known before the outcomes; an average of e-values under any dependence is one. A bound ``most`` from above only
    lowers its mean. Without room there is nothing to bet on: 0.
    """
    return float(np.clip(excess / room, -1.0, most)) if room > 0.0 else 0.0
