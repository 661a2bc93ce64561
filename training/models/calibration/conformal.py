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

from training.data.arrays import row_index, rows_by_time, take_rows
from training.metrics.classification import check_direction
from training.metrics.ratio import Array, Ints

Sets = npt.NDArray[np.bool_]

_GRID, _OWN_GRID = 2001, 101


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
        A symbol's threshold minus its row of ``quantiles`` at the nominal level, (S,).
    error_rate
        The rate α at which a symbol's next set is built, (S,): 1 - level until outcomes move it.
    quantiles
        Quantiles of the validation scores on an even grid of levels: one row (1, 2001) that all symbols share, or one
        row per symbol (S, 101).
    """

    level: float
    offset: Array
    error_rate: Array
    quantiles: Array

    def sets(self, probabilities: npt.ArrayLike, symbol_row: npt.ArrayLike) -> Sets:
        """Return the classes in each row's set, boolean (n, 3), at the current state of every symbol."""
        p = np.asarray(probabilities, dtype=np.float64)
        row = np.asarray(symbol_row, dtype=np.int64)
        if p.ndim != 2 or row.shape != (len(p),) or (len(row) and (row.min() < 0 or row.max() >= len(self.offset))):
            raise ValueError(f"symbol_row must be ({len(p)},) with values from 0 to {len(self.offset) - 1}")
        every = np.arange(len(self.offset))
        return _sets(p, self._thresholds(self.error_rate, every)[row])

    def walk_forward(
        self,
        probabilities: npt.ArrayLike,
        labels: npt.ArrayLike,
        symbol_row: npt.ArrayLike,
        horizon: int,
        gamma: float = 0.005,
    ) -> tuple[Sets, Self]:
        """Build sets bar by bar, updating the state with each outcome once it is known.

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
            Sets (n, 3), and the label sets after the last outcome, for serving.
        """
        y, p = check_direction(labels, probabilities)
        row = np.asarray(symbol_row, dtype=np.int64)
        if row.shape != (len(y),) or row.min() < 0 or row.max() >= len(self.offset):
            raise ValueError(f"symbol_row must be ({len(y)},) with values from 0 to {len(self.offset) - 1}")
        if horizon < 1 or gamma <= 0:
            raise ValueError(f"horizon {horizon} must be at least 1 and gamma {gamma} positive")
        by_time = rows_by_time(row)
        rate = self.error_rate.copy()
        out = np.zeros(p.shape, dtype=bool)
        for t in range(len(by_time) + horizon):
            if t >= horizon:
                known = by_time[t - horizon]
                rate[row[known]] += gamma * (1.0 - self.level - ~out[known, y[known]])
            if t < len(by_time):
                now = by_time[t]
                out[now] = _sets(p[now], self._thresholds(rate[row[now]], row[now]))
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

    def take(self, symbols: npt.ArrayLike) -> Self:
        """Return the sets of the symbols at these positions, in this order."""
        rows = np.asarray(symbols)
        quantiles = take_rows(self.quantiles, rows)
        return replace(self, offset=self.offset[rows], error_rate=self.error_rate[rows], quantiles=quantiles)

    def with_pooled(self) -> Self:
        """Return these sets with the pooled ones as an additional last row; all symbols must share the quantiles."""
        rate = np.append(self.error_rate, 1.0 - self.level)
        return replace(self, offset=np.append(self.offset, 0.0), error_rate=rate)

    def _thresholds(self, rate: Array, symbol: Ints) -> Array:
        """Return the thresholds at rates (n,) of symbols (n,)."""
        grid = row_index(len(self.quantiles), symbol)
        threshold = _at_level(self.quantiles, grid, 1.0 - rate) + self.offset[symbol]
        # Beyond [0, 1] the adaptive rate asks for every class, or for the likeliest alone.
        return np.where(rate <= 0.0, np.inf, np.where(rate >= 1.0, -np.inf, threshold))


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
    pooled: PooledScores | None,
    level: float = 0.9,
    shrinkage: float = 500.0,
) -> LabelSets:
    """Return split-conformal thresholds per symbol, shrunk to the pooled one if it is given.

    A symbol's threshold is the smallest score q for which its own n scores, ``shrinkage`` pooled scores and
    one at infinity (the finite-sample correction) put at least ``level`` of their weight at or below q.
    Coverage is exact for exchangeable rows when ``shrinkage`` is 0, or when symbols share one distribution
    of scores. A symbol's result depends on its own rows and on ``pooled`` only.

    Parameters
    ----------
    labels, probabilities, symbol_row
        Validation rows (n,), (n, 3), (n,): scores of training rows would be too small.
    """
    y, p = check_direction(labels, probabilities)
    row = np.asarray(symbol_row, dtype=np.int64)
    if row.shape != (len(y),) or row.min() < 0 or row.max() >= symbols:
        raise ValueError(f"symbol_row must be ({len(y)},) with values from 0 to {symbols - 1}")
    if not 0.0 < level < 1.0 or shrinkage < 0:
        raise ValueError(f"level {level} must lie in (0, 1) and shrinkage {shrinkage} must not be negative")
    order = np.argsort(row, kind="stable")
    score = (1.0 - p[np.arange(len(y)), y])[order]
    parts = np.split(score, np.cumsum(np.bincount(row, minlength=symbols))[:-1])
    if pooled is None:
        shared, shrinkage = np.empty(0), 0.0
        even = np.linspace(0.0, 1.0, _OWN_GRID)
        quantiles = np.stack([np.quantile(own, even) if len(own) else even for own in parts])
    else:
        shrinkage = min(shrinkage, float(pooled.rows))  # a pool of few scores has the evidence of as many rows
        shared = np.quantile(pooled.quantiles, (np.arange(_GRID - 1) + 0.5) / (_GRID - 1))
        quantiles = pooled.quantiles[None]
    threshold = np.array([_weighted_threshold(own, shared, shrinkage, level) for own in parts])
    grid = np.arange(symbols) if pooled is None else np.zeros(symbols, np.int64)
    base = _at_level(quantiles, grid, np.full(symbols, level))
    return LabelSets(level, threshold - base, np.full(symbols, 1.0 - level), quantiles)


def _at_level(quantiles: Array, grid: Ints, level: Array) -> Array:
    """Return quantiles (n,) at levels (n,) of the rows ``grid`` (n,), linear between the grid's levels."""
    last = quantiles.shape[1] - 1
    place = np.clip(level, 0.0, 1.0) * last
    below = np.minimum(place.astype(np.int64), last - 1)
    low, high = quantiles[grid, below], quantiles[grid, below + 1]
    return np.asarray(low + (place - below) * (high - low))


def _weighted_threshold(own: Array, shared: Array, shrinkage: float, level: float) -> float:
    scores = np.concatenate([own, shared])
    weights = np.concatenate([np.ones(len(own)), np.full(len(shared), shrinkage / max(len(shared), 1))])
    order = np.argsort(scores, kind="stable")
    reached = np.cumsum(weights[order])
    place = int(np.searchsorted(reached, level * (len(own) + shrinkage + 1.0) - 1e-9))
    # Too few scores for the level: only the set of all classes is sure to cover; 1 is the largest score.
    return float(scores[order[place]]) if place < len(scores) else 1.0


def _sets(probabilities: Array, threshold: Array) -> Sets:
    inside = 1.0 - probabilities <= threshold[:, None]
    inside[np.arange(len(inside)), probabilities.argmax(axis=1)] = True
    return np.asarray(inside)
