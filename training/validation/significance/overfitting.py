"""The probability of backtest overfitting: how often the best in sample is below the median out of sample."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
import numpy.typing as npt

from training.metrics.ratio import Array, ratio

_MOST_BLOCKS = 20  # 184,756 splits


@dataclass(frozen=True, eq=False)
class Overfitting:
    """The probability of overfitting, and the logits and weights (K,) of the splits' winners out of sample."""

    probability: float
    logits: Array
    weights: Array
    splits: int


def backtest_overfitting(
    returns: npt.ArrayLike, blocks: int = 16, statistic: Literal["sharpe", "mean"] = "sharpe"
) -> Overfitting:
    r"""Return the probability of backtest overfitting by combinatorially symmetric cross-validation.

    Time is cut into ``blocks``; for each choice of half of them as in sample, the best strategy there is ranked on the
    other half. Its logit is :math:`\ln(\omega/(1 - \omega))` with ω = rank/(N + 1); the probability is the share of
    splits with a logit below 0. A logit of exactly 0 counts half. Ties: strategies that are best together share the
    split's weight equally, and equal strategies out of sample share the middle of their ranks.

    Parameters
    ----------
    returns
        Returns (T, N) of N ≥ 2 strategies, complete. T − ⌊T / blocks⌋·blocks bars are left out at the start.
    blocks
        An even number from 2 to 20.
    statistic
        What makes a strategy good: its Sharpe ratio, or its mean return. A strategy without variation has a ratio of 0.

    Raises
    ------
    ValueError
        The returns have another shape, are not finite, or have fewer than two bars a block (one for ``mean``).

    References
    ----------
    Bailey, Borwein, López de Prado & Zhu (2017). The probability of backtest overfitting. J. Computational Finance 20.
    """
    r = np.asarray(returns, dtype=np.float64)
    if r.ndim != 2 or r.shape[1] < 2:
        raise ValueError(f"returns have shape {r.shape}; expected (bars, strategies) with at least 2 strategies")
    if not np.isfinite(r).all():
        raise ValueError("returns must be finite; use the bars that all strategies have")
    if blocks not in range(2, _MOST_BLOCKS + 1, 2):
        raise ValueError(f"blocks has value {blocks!r}; expected an even number from 2 to {_MOST_BLOCKS}")
    size, needed = len(r) // blocks, 2 if statistic == "sharpe" else 1
    if size < needed:
        raise ValueError(f"{len(r)} returns are too few for {blocks} blocks; expected at least {needed * blocks}")
    parts = r[len(r) - size * blocks :].reshape(blocks, size, -1)
    # The same mean is taken from all, so that squares of returns keep their digits.
    centre = parts.mean(axis=(0, 1))
    sums, squares = parts.sum(axis=1), ((parts - centre) ** 2).sum(axis=1)
    inside = np.zeros((math.comb(blocks, blocks // 2), blocks))
    for row, chosen in enumerate(combinations(range(blocks), blocks // 2)):
        inside[row, list(chosen)] = 1.0
    bars = size * blocks // 2
    best = _score(inside @ sums, inside @ squares, centre, bars, statistic)
    tested = _score((1.0 - inside) @ sums, (1.0 - inside) @ squares, centre, bars, statistic)
    split, winner = np.nonzero(_equal(best, best.max(axis=1, keepdims=True)))
    won = tested[split, winner][:, None]
    same = _equal(tested[split], won)
    rank = ((tested[split] < won) & ~same).sum(axis=1) + (same.sum(axis=1) + 1.0) / 2.0
    omega = rank / (r.shape[1] + 1.0)
    logits = np.log(omega / (1.0 - omega))
    weights = 1.0 / np.bincount(split, minlength=len(inside))[split]
    below = (logits < -1e-12) + 0.5 * (np.abs(logits) <= 1e-12)
    return Overfitting(float((below * weights).sum() / len(inside)), logits, weights, len(inside))


def _score(sums: Array, squares: Array, centre: Array, bars: int, statistic: str) -> Array:
    mean = sums / bars
    if statistic == "mean":
        return mean
    variance = np.maximum(squares / bars - (mean - centre) ** 2, 0.0)
    flat = variance <= 1e-24 + 1e-20 * mean**2
    return np.where(flat, 0.0, ratio(mean, np.sqrt(np.where(flat, 1.0, variance))))


def _equal(left: Array, right: Array) -> npt.NDArray[np.bool_]:
    return np.asarray(np.abs(left - right) <= 1e-12 * np.maximum(np.abs(left), np.abs(right)) + 1e-18)
