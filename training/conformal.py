r"""Conformal label sets: the classes that cannot be excluded at a level, such as {sideways, up} at 90 %.

The score of a class is 1 - p (LAC), which gives the smallest sets at a marginal level; APS without its
randomisation covers too much with three classes. A set holds every class whose score is at most the
threshold, and always the likeliest one.

References
----------
Sadinle, Lei & Wasserman (2019). Least ambiguous set-valued classifiers. JASA 114, 223-234. Gibbs &
Candès (2021). Adaptive conformal inference under distribution shift. NeurIPS.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from training.metrics import Array, Ints, check_direction

Sets = npt.NDArray[np.bool_]

_GRID = 2001


@dataclass(frozen=True, slots=True)
class PooledScores:
    """Quantiles of all symbols' validation scores on an even grid of levels from 0 to 1, shape (2001,)."""

    quantiles: Array
    rows: int


@dataclass(frozen=True, slots=True)
class LabelSets:
    """Thresholds of S symbols, with the state of the adaptive update.

    Attributes
    ----------
    level
        Nominal coverage.
    offset
        A symbol's threshold less the pooled one at the nominal level, (S,).
    error_rate
        The rate α at which a symbol's next set is built, (S,): 1 - level until outcomes move it.
    quantiles
        The pooled scores' quantiles, (2001,).
    """

    level: float
    offset: Array
    error_rate: Array
    quantiles: Array

    def sets(self, probabilities: npt.ArrayLike, symbol_row: npt.ArrayLike) -> Sets:
        """Return the classes in each row's set, boolean (n, 3), with every symbol's present state; row -1 is pooled."""
        p = np.asarray(probabilities, dtype=np.float64)
        row = np.asarray(symbol_row, dtype=np.int64)
        if p.ndim != 2 or row.shape != (len(p),) or (len(row) and (row.min() < -1 or row.max() >= len(self.offset))):
            raise ValueError(f"symbol_row must be ({len(p)},) with values from -1 to {len(self.offset) - 1}")
        threshold = np.append(self._thresholds(self.error_rate), self._pooled(np.array([1.0 - self.level])))
        return _sets(p, threshold[row])

    def walk_forward(
        self,
        probabilities: npt.ArrayLike,
        labels: npt.ArrayLike,
        symbol_row: npt.ArrayLike,
        horizon: int,
        gamma: float = 0.005,
    ) -> tuple[Sets, Self]:
        """Build sets bar by bar, learning from each outcome once it is known, and return the state after the last.

        The update is ``α ← α + γ (1 - level - missed)`` per symbol. A label of bar t is known at bar
        t + ``horizon``; using it earlier would leak the outcome into sets made before it.

        Parameters
        ----------
        probabilities, labels, symbol_row
            Test rows (n, 3), (n,), (n,), a symbol's rows in order of time.
        gamma
            Step size; an error of coverage fades with a time constant of about 1/γ bars.

        Returns
        -------
        tuple
            Sets (n, 3), and this object with every outcome of the rows learnt, for serving.
        """
        y, p = check_direction(labels, probabilities)
        row = np.asarray(symbol_row, dtype=np.int64)
        if row.shape != (len(y),) or row.min() < 0 or row.max() >= len(self.offset):
            raise ValueError(f"symbol_row must be ({len(y)},) with values from 0 to {len(self.offset) - 1}")
        if horizon < 1 or gamma <= 0:
            raise ValueError(f"horizon {horizon} must be at least 1 and gamma {gamma} positive")
        by_time = _rows_by_time(row)
        rate = self.error_rate.copy()
        out = np.zeros(p.shape, dtype=bool)
        for t in range(len(by_time) + horizon):
            if t >= horizon:
                known = by_time[t - horizon]
                rate[row[known]] += gamma * (1.0 - self.level - ~out[known, y[known]])
            if t < len(by_time):
                now = by_time[t]
                out[now] = _sets(p[now], self._thresholds(rate, row[now]))
        return out, replace(self, error_rate=rate)

    def to_arrays(self) -> dict[str, Array]:
        """Return numeric arrays that :meth:`from_arrays` reads back exactly."""
        return {
            "level": np.array([self.level]),
            "offset": self.offset,
            "error_rate": self.error_rate,
            "quantiles": self.quantiles,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Self:
        """Invert :meth:`to_arrays`."""
        return cls(float(arrays["level"][0]), arrays["offset"], arrays["error_rate"], arrays["quantiles"])

    def _thresholds(self, rate: Array, rows: Ints | slice = slice(None)) -> Array:
        chosen = rate[rows]
        threshold = self._pooled(chosen) + self.offset[rows]
        # Beyond [0, 1] the adaptive rate asks for every class, or for the likeliest alone.
        return np.where(chosen <= 0.0, np.inf, np.where(chosen >= 1.0, -np.inf, threshold))

    def _pooled(self, rate: Array) -> Array:
        return np.interp(1.0 - rate, np.linspace(0.0, 1.0, len(self.quantiles)), self.quantiles)


def pool_scores(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> PooledScores:
    """Summarise the validation scores of all symbols: labels (n,), calibrated probabilities (n, 3)."""
    y, p = check_direction(labels, probabilities)
    score = 1.0 - p[np.arange(len(y)), y]
    return PooledScores(np.quantile(score, np.linspace(0.0, 1.0, _GRID)), len(y))


def fit_label_sets(
    labels: npt.ArrayLike,
    probabilities: npt.ArrayLike,
    symbol_row: npt.ArrayLike,
    symbols: int,
    pooled: PooledScores,
    level: float = 0.9,
    shrinkage: float = 500.0,
) -> LabelSets:
    """Return split-conformal thresholds per symbol, shrunk to the pooled one.

    A symbol's threshold is the smallest score q for which its own n scores, ``shrinkage`` pooled scores and
    one unseen at infinity (the finite-sample correction) put at least ``level`` of their weight at or below
    q. Coverage is exact for exchangeable rows when ``shrinkage`` is 0, or when symbols share one
    distribution of scores. A symbol's result depends on its own rows and on ``pooled`` only.

    Parameters
    ----------
    labels, probabilities, symbol_row
        Validation rows (n,), (n, 3), (n,): scores of rows the model was fitted on are too small.
    """
    y, p = check_direction(labels, probabilities)
    row = np.asarray(symbol_row, dtype=np.int64)
    if row.shape != (len(y),) or row.min() < 0 or row.max() >= symbols:
        raise ValueError(f"symbol_row must be ({len(y)},) with values from 0 to {symbols - 1}")
    if not 0.0 < level < 1.0 or shrinkage < 0:
        raise ValueError(f"level {level} must lie in (0, 1) and shrinkage {shrinkage} must not be negative")
    levels = np.linspace(0.0, 1.0, len(pooled.quantiles))
    base = float(np.interp(level, levels, pooled.quantiles))
    shared = np.quantile(pooled.quantiles, (np.arange(_GRID - 1) + 0.5) / (_GRID - 1))
    order = np.argsort(row, kind="stable")
    score = (1.0 - p[np.arange(len(y)), y])[order]
    parts = np.split(score, np.cumsum(np.bincount(row, minlength=symbols))[:-1])
    threshold = np.array([_weighted_threshold(own, shared, shrinkage, level) for own in parts])
    return LabelSets(level, threshold - base, np.full(symbols, 1.0 - level), pooled.quantiles)


def _weighted_threshold(own: Array, shared: Array, shrinkage: float, level: float) -> float:
    scores = np.concatenate([own, shared])
    weights = np.concatenate([np.ones(len(own)), np.full(len(shared), shrinkage / len(shared))])
    order = np.argsort(scores, kind="stable")
    reached = np.cumsum(weights[order])
    place = int(np.searchsorted(reached, level * (len(own) + shrinkage + 1.0) - 1e-9))
    # Too few scores for the level: only the set of all classes is sure to cover; 1 is the largest score.
    return float(scores[order[place]]) if place < len(scores) else 1.0


def _sets(probabilities: Array, threshold: Array) -> Sets:
    inside = 1.0 - probabilities <= threshold[:, None]
    inside[np.arange(len(inside)), probabilities.argmax(axis=1)] = True
    return np.asarray(inside)


def _rows_by_time(row: Ints) -> list[Ints]:
    """Return, for each t, the rows that are their symbol's t-th."""
    order = np.argsort(row, kind="stable")
    counts = np.bincount(row)
    time = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    again = np.argsort(time, kind="stable")
    return np.split(order[again], np.cumsum(np.bincount(time))[:-1])
