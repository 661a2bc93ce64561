"""What a configuration is worth on a fold, row by row, and how far two of them are apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from pydantic import Field

from configs.values import Frozen
from training.metrics.clustered import day_jackknife

Float = npt.NDArray[np.float64]


class Difference(Frozen):
    """A mean difference in loss a row (negative is better) and its standard error, clustered by day."""

    mean: float
    se: float | None

    @property
    def told(self) -> str:
        """The difference with its standard error."""
        return f"{self.mean:+.5f}" + ("" if self.se is None else f" ± {self.se:.5f}")


@dataclass(frozen=True, slots=True, eq=False)
class Score:
    """What one configuration is worth on one fold: a loss a row, with its symbol and date, and the baseline's.

    All losses are finite. ``failed`` are the symbols that it has no model of, each with the reason.
    """

    symbols: tuple[str, ...]
    symbol: npt.NDArray[np.int64]
    dates: npt.NDArray[np.datetime64]
    loss: Float
    baseline: Float
    failed: Mapping[str, str] = field(default_factory=dict)

    def by_symbol(self) -> dict[str, float]:
        """Return each symbol's mean loss; a symbol without rows has none."""
        rows = np.bincount(self.symbol, minlength=len(self.symbols))
        sums = np.bincount(self.symbol, self.loss, minlength=len(self.symbols))
        return {name: float(s / n) for name, s, n in zip(self.symbols, sums, rows, strict=True) if n}


def difference(dates: npt.NDArray[np.datetime64], mine: Float, other: Float, horizon: int) -> Difference:
    """Return how much less (negative) the first losses are than the others on the same rows."""
    days, day = np.unique(dates.astype("datetime64[D]"), return_inverse=True)
    if len(days) < 2:
        return Difference(mean=float((mine - other).mean()), se=None)
    sums = np.bincount(day, mine - other).astype(np.float64), np.bincount(day).astype(np.float64)
    mean, se = day_jackknife(lambda total, rows: total / rows, sums, horizon - 1)
    return Difference(mean=float(mean), se=float(se) if np.isfinite(se) else None)


class Outcome(Frozen):
    """What a trial is worth.

    ``loss`` and ``baseline`` are means over the rows of all folds, ``edge`` is the difference between them.
    ``by_symbol`` holds each symbol's mean loss on each fold, ``failed`` the symbols without a model on some fold,
    ``seconds`` what the trial took.
    """

    loss: float
    baseline: float
    edge: Difference
    by_symbol: tuple[dict[str, float], ...]
    seconds: float
    failed: dict[str, str] = Field(default_factory=dict)

    @classmethod
    def of(cls, scores: Sequence[Score], horizon: int, seconds: float) -> Outcome:
        """Return what the scores of all folds come to."""
        dates, loss, baseline = (
            np.concatenate([getattr(one, name) for one in scores]) for name in ("dates", "loss", "baseline")
        )
        edge = difference(dates, loss, baseline, horizon)
        failed = {symbol: reason for one in scores for symbol, reason in one.failed.items()}
        by_symbol = tuple(one.by_symbol() for one in scores)
        means = {"loss": float(loss.mean()), "baseline": float(baseline.mean())}
        return cls(**means, edge=edge, by_symbol=by_symbol, seconds=seconds, failed=failed)
