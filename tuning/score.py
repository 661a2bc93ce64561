"""Losses of a configuration on a fold, row by row, and the difference between two configurations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from pydantic import Field

from configs.values import Frozen
from configs.words import signed
from training.metrics.clustered import day_jackknife

Float = npt.NDArray[np.float64]


class Difference(Frozen):
    """A mean difference in loss per row (negative is better) and its standard error, clustered by day."""

    mean: float
    se: float | None

    def __str__(self) -> str:
        return signed(self.mean, 5) + ("" if self.se is None else f" ± {self.se:.5f}")


@dataclass(frozen=True, slots=True, eq=False)
class Score:
    """Losses of one configuration on one fold.

    Arrays have one entry per scored row: ``symbol`` is a position in ``symbols``, ``baseline`` the baseline's loss on
    the same row. All losses are finite. ``failed`` maps each symbol without a model to the reason.
    """

    symbols: tuple[str, ...]
    symbol: npt.NDArray[np.int64]
    dates: npt.NDArray[np.datetime64]
    loss: Float
    baseline: Float
    failed: Mapping[str, str] = field(default_factory=dict)

    def by_symbol(self) -> dict[str, float]:
        """Return each symbol's mean loss; symbols without rows are left out."""
        rows = np.bincount(self.symbol, minlength=len(self.symbols))
        sums = np.bincount(self.symbol, self.loss, minlength=len(self.symbols))
        return {name: float(s / n) for name, s, n in zip(self.symbols, sums, rows, strict=True) if n}


def difference(dates: npt.NDArray[np.datetime64], loss: Float, reference: Float, horizon: int) -> Difference:
    """Return the mean of ``loss`` less ``reference`` on the same rows; without two days it has no standard error."""
    days, day = np.unique(dates.astype("datetime64[D]"), return_inverse=True)
    if len(days) < 2:
        return Difference(mean=float((loss - reference).mean()), se=None)
    sums = np.bincount(day, loss - reference).astype(np.float64), np.bincount(day).astype(np.float64)
    mean, se = day_jackknife(lambda total, rows: total / rows, sums, horizon - 1)
    return Difference(mean=float(mean), se=float(se) if np.isfinite(se) else None)


class Outcome(Frozen):
    """The result of a complete trial.

    ``loss`` and ``baseline`` are means over the rows of all folds, ``edge`` is the difference between them.
    ``by_symbol`` holds each symbol's mean loss on each fold, ``failed`` the symbols without a model on at least one
    fold, ``seconds`` the duration of the trial.
    """

    loss: float
    baseline: float
    edge: Difference
    by_symbol: tuple[dict[str, float], ...]
    seconds: float
    failed: dict[str, str] = Field(default_factory=dict)

    @classmethod
    def of(cls, scores: Sequence[Score], horizon: int, seconds: float) -> Outcome:
        """Return the outcome of the scores of all folds."""
        dates, loss, baseline = (
            np.concatenate([getattr(score, name) for score in scores]) for name in ("dates", "loss", "baseline")
        )
        return cls(
            loss=float(loss.mean()),
            baseline=float(baseline.mean()),
            edge=difference(dates, loss, baseline, horizon),
            by_symbol=tuple(score.by_symbol() for score in scores),
            seconds=seconds,
            failed={symbol: reason for score in scores for symbol, reason in score.failed.items()},
        )
