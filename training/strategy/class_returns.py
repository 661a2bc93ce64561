r"""Returns to expect of a class, from its definition under normality and from what past returns of it were.

In units of the volatility σ of the horizon, with sideways inside ± k:

.. math:: E[r|up] = \frac{\varphi(k)}{1 - \Phi(k)}, \quad E[r^2|up] = 1 + k E[r|up], \quad
          E[r^2|sideways] = 1 - \frac{2 k \varphi(k)}{2\Phi(k) - 1}

which are 1.090, 1.469 and .060 for k = .43.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from features.labels import CLASSES, DOWN, SIDEWAYS, UP
from training.strategy.series import Float, Ints, sums_by_row

PRIOR_DAYS = 250.0
"""Days of outcomes as much worth as the normal distribution."""

_NARROW = 1e-4  # below it, the ratio of two small numbers is replaced by its limit
_WIDE = 8.0


class ClassReturns(NamedTuple):
    """Mean and second moment of each class, (…, 3): down, sideways, up; in units of σ and σ²."""

    mean: Float
    second: Float


def normal_class_returns(k: Float | float) -> ClassReturns:
    """Return the moments for half widths k (…) of the sideways band, in units of σ; NaN where k is."""
    width = np.clip(np.asarray(k, dtype=np.float64), 0.0, _WIDE)
    density = np.exp(-0.5 * width * width) / np.sqrt(2.0 * np.pi)
    mean = density / ndtr(-width)
    second = 1.0 + width * mean
    safe = np.maximum(width, _NARROW)
    inside = 1.0 - 2.0 * safe * np.exp(-0.5 * safe * safe) / np.sqrt(2.0 * np.pi) / (ndtr(safe) - ndtr(-safe))
    sideways = np.where(width > _NARROW, inside, width * width / 3.0)
    return ClassReturns(
        np.stack([-mean, np.zeros_like(mean), mean], axis=-1), np.stack([second, sideways, second], axis=-1)
    )


def class_returns(k: Float, outcome: Float, known: Ints) -> ClassReturns:
    """Return the moments (D, S, 3) to expect at each date: those of past outcomes, shrunk to the normal ones.

    Parameters
    ----------
    k : (D, S)
        Half width of the sideways band, in units of σ.
    outcome : (D, S)
        Return over the horizon in units of σ.
    known : (D, S)
        Row at whose close the outcome is known.
    """
    of_class = {UP: outcome > k, DOWN: outcome < -k}
    of_class[SIDEWAYS] = np.isfinite(outcome) & np.isfinite(k) & ~of_class[UP] & ~of_class[DOWN]
    sums = np.empty((len(k), len(CLASSES), 3))
    for label in range(len(CLASSES)):
        own = np.where(of_class[label], outcome, np.nan)
        for place, part in enumerate((own * 0.0 + 1.0, own, own * own)):
            sums[:, label, place] = sums_by_row(part, known, len(k))
    return shrunk(normal_class_returns(k), np.cumsum(sums[..., 0] > 0.0, axis=0), np.cumsum(sums, axis=0))


def shrunk(normal: ClassReturns, days: Ints, sums: Float) -> ClassReturns:
    """Return moments (D, S, 3) between the normal ones and those of past outcomes.

    Parameters
    ----------
    days : (D, 3)
        Days so far on which an outcome of each class became known.
    sums : (D, 3, 3)
        Of each class: the number of its outcomes so far, their sum, and that of their squares.
    """
    mean, second = normal.mean.copy(), normal.second.copy()
    for label in range(len(CLASSES)):
        share = (days[:, label] / (days[:, label] + PRIOR_DAYS))[:, None]
        count, first, square = sums[:, label].T
        n = np.maximum(count, 1.0)
        mean[..., label] += share * ((first / n)[:, None] - mean[..., label])
        second[..., label] += share * ((square / n)[:, None] - second[..., label])
    return ClassReturns(mean, second)
