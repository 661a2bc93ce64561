"""What a version's test period promises of its live forecasts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from configs.errors import ModelError
from configs.values import Kind
from features.bars.period import bar_period
from serving.monitoring.forecast_rows import row_evidence
from serving.monitoring.losses import OUTLIER
from training.backtesting.sources import tested_table
from training.metrics.clustered import day_jackknife
from training.metrics.comparison import Comparison
from training.metrics.daily_sums import DayTotals, day_index
from training.metrics.ratio import Array, ratio
from training.registry.manager import ModelManager

_ERRORS = 2.0  # standard errors by which a test figure may have been lucky
_KEYS = {"realised_share": "kept"}  # where JSON has another name


@dataclass(frozen=True, slots=True)
class TestedSkill:
    """Figures of the test period, from which live forecasts must not be worse.

    Attributes
    ----------
    realised_share
        Share of the claimed gain over the baseline that came true, and its standard error (day-clustered); NaN
        without a test.
    missed
        Share of outcomes outside their label sets or intervals, and its standard error; NaN without a test.
    mean, deviation
        Mean and standard deviation of the loss gap of blocks of ``horizon`` bars; NaN without a test.
    steps_per_year
        Dates of bars in a year of the test's symbols together.
    """

    __test__ = False

    realised_share: Comparison
    missed: Comparison
    mean: float
    deviation: float
    steps_per_year: float = 252.0

    @classmethod
    def unknown(cls) -> Self:
        """Return the figures of a version without a test."""
        nothing = Comparison(math.nan, math.nan)
        return cls(nothing, nothing, math.nan, math.nan)

    @classmethod
    def of(cls, kind: Kind, table: pd.DataFrame, horizon: int, outlier: float = OUTLIER) -> Self:
        """Return the figures of a test table (:mod:`serving.monitoring.forecast_rows`)."""
        evidence = row_evidence(kind, table, outlier=outlier)
        gap, claim, _ = evidence.losses
        known, sets = np.isfinite(gap), np.isfinite(evidence.missed)
        mean = deviation = math.nan
        dates, row = np.unique(table["date"].to_numpy().astype("datetime64[ns]"), return_inverse=True)
        if known.any():
            total = DayTotals(row, len(dates), known)
            by_date = ratio(total(gap[known]), total(np.ones(int(known.sum()))))
            blocks = block_means(by_date[np.isfinite(by_date)], horizon)
            if len(blocks) > 1:
                mean, deviation = float(blocks.mean()), float(blocks.std(ddof=1))
        realised = _day_ratio(table, -gap, claim, known, horizon)
        missed = _day_ratio(table, evidence.missed, np.ones(len(table)), sets, horizon)
        return cls(realised, missed, mean, deviation, bar_period(dates).bars_per_year)

    @property
    def least_realised_share(self) -> float:
        """The share of the claimed gain that live forecasts must realise: two errors below the test's, in [0, 1]."""
        if not self.realised_share.is_known:
            return 0.0
        return min(max(self.realised_share.value - _ERRORS * self.realised_share.se, 0.0), 1.0)

    def most_missed(self, level: float, tolerance: float = 0.0) -> float:
        """Return the share of outcomes that may be missed.

        It is the larger of two errors above the test's and (1 + tolerance) times the nominal 1 − level.
        """
        nominal = (1.0 - level) * (1.0 + tolerance)
        tested = self.missed.value + _ERRORS * self.missed.se if self.missed.is_known else 0.0
        return min(max(nominal, tested, 1e-3), 1.0 - 1e-3)

    def to_json(self) -> dict[str, Any]:
        """Return the figures as JSON; null where unknown."""
        return {_KEYS.get(name, name): _finite(value) for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Invert :meth:`to_json`."""
        pairs = [Comparison(*(_number(one) for one in value[name])) for name in ("kept", "missed")]
        year = value.get("steps_per_year", cls.unknown().steps_per_year)  # earlier versions did not store it
        return cls(pairs[0], pairs[1], _number(value["mean"]), _number(value["deviation"]), year)


def tested_skill(manager: ModelManager, kind: Kind, version: str, horizon: int, outlier: float) -> TestedSkill:
    """Return what the test of a version promises; unknown if the version or its test table no longer exists."""
    try:
        table = tested_table(manager, kind, version)
    except ModelError:
        return TestedSkill.unknown()
    return TestedSkill.of(kind, table, horizon, outlier)


def block_means(values: Array, length: int) -> Array:
    """Return the means (n // length,) of consecutive blocks of values (n,); the rest at the end is left out."""
    count = len(values) // length
    return np.asarray(values[: count * length].reshape(count, length).mean(axis=1))


def _day_ratio(frame: pd.DataFrame, top: Array, bottom: Array, keep: np.ndarray[Any, Any], horizon: int) -> Comparison:
    if not keep.any() or not bottom[keep].sum() > 0.0:
        return Comparison(math.nan, math.nan)
    days, row = day_index(frame["date"].to_numpy(), len(frame))
    total = DayTotals(row, len(days), keep)
    value, error = day_jackknife(ratio, (total(top[keep]), total(bottom[keep])), horizon - 1)
    return Comparison(float(value), float(error))


def _finite(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return [_finite(one) for one in value]
    return value if math.isfinite(value) else None


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
