"""How live forecasts of volatility are judged: QLIKE of mean variances a bar, intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.stats import norm

from features.labels import annualised
from serving.journal.kind_columns import KIND_COLUMNS
from serving.monitoring.judged_kind import JudgedKind, numbers
from serving.monitoring.losses import LossGaps, volatility_gaps
from training.metrics.daily import VolatilityDaily
from training.metrics.ratio import Array
from training.metrics.volatility import qlike_rows

if TYPE_CHECKING:
    from serving.monitoring.calibrated import CalibrationBin

_BARS_PER_YEAR = 252.0  # of tables that do not say
_COVERED = (0.5, 0.995)  # shares of outcomes that say how they scatter


class JudgedVolatility(JudgedKind):
    """Mean variances a bar, with intervals."""

    kind = "volatility"
    outcome = "target"
    stored_outcome = "variance"
    implied = "the width of intervals implies"
    forecast_title = "forecast volatility"
    outcome_title = "realised volatility"

    def gaps(self, outcome: Array, own: Array, other: Array, outlier: float) -> LossGaps:
        """Return gaps of QLIKE; see :func:`serving.monitoring.losses.volatility_gaps` for ``outlier``."""
        return volatility_gaps(outcome, own[:, 0], other[:, 0], outlier)

    def missed(self, frame: pd.DataFrame, outcome: Array) -> Array:
        """Return 1 where the variance is outside the interval, else 0, (N,); NaN where either is unknown."""
        (low, high), out = numbers(frame, KIND_COLUMNS[self.kind].interval).T, np.full(len(frame), np.nan)
        rows = np.flatnonzero(np.isfinite(outcome) & np.isfinite(low) & np.isfinite(high))
        out[rows] = (outcome[rows] < low[rows]) | (outcome[rows] > high[rows])
        return out

    def losses(self, outcome: Array, own: Array) -> Array:
        """Return QLIKE (N,) of outcomes (N,) and variances (N, 1)."""
        return np.asarray(qlike_rows(outcome, own[:, 0]), np.float64)

    def expected(self, frame: pd.DataFrame, baseline: str, covered: Mapping[str, float]) -> tuple[Array, Array]:
        """Return half the squared scatter that intervals imply, and the expected gain in QLIKE, (N,) both."""
        f = self.forecasts(frame)[:, 0]
        ratio = f / self.forecasts(frame, baseline)[:, 0]
        return _scatter(frame, covered) ** 2 / 2.0 + 0.0 * f, ratio - 1.0 - np.log(ratio)

    def sums(self, frame: pd.DataFrame) -> VolatilityDaily | None:
        """Return sums in which a row without a baseline's forecast repeats the model's, as at the test."""
        frame = frame[self.is_known(frame) & np.isfinite(self.forecasts(frame)[:, 0])]
        target, f = frame[self.outcome].to_numpy(dtype=np.float64), self.forecasts(frame)[:, 0]
        if not (target > 0).any():
            return None
        tables = {name: self.forecasts(frame, name)[:, 0] for name in self.baselines(frame)}
        own = {name: np.isfinite(table) for name, table in tables.items()}
        ends = tuple(frame[name].to_numpy(dtype=np.float64, na_value=np.nan) for name in ("low", "high"))
        return VolatilityDaily.from_predictions(
            frame["date"].to_numpy(),
            target,
            f,
            {name: np.where(own[name], table, f) for name, table in tables.items()},
            (ends[0], ends[1]) if np.isfinite(ends[0] + ends[1]).all() else None,
            own,
            bars_per_year=_bars_per_year(frame),
        )

    def calibration(self, rows: pd.DataFrame) -> list[tuple[str, Array, Array]]:
        """Return variances a year."""
        scale = annualised(np.ones(len(rows)), _bars_per_year(rows)) ** 2
        return [("volatility", self.forecasts(rows)[:, 0] * scale, self.outcomes(rows) * scale)]

    def in_shown_units(self, one: CalibrationBin) -> CalibrationBin:
        """Return the roots: annualised volatility."""
        return one._replace(
            forecast=float(np.sqrt(one.forecast)),
            outcome=float(np.sqrt(one.outcome)),
            se=float(one.se / (2.0 * np.sqrt(one.outcome))) if one.outcome > 0 else float("nan"),
        )


def _bars_per_year(frame: pd.DataFrame) -> Array:
    year = frame["bars_per_year"] if "bars_per_year" in frame else pd.Series(_BARS_PER_YEAR, frame.index)
    return np.asarray(year.fillna(_BARS_PER_YEAR).to_numpy(dtype=np.float64))


def _scatter(frame: pd.DataFrame, covered: Mapping[str, float]) -> Array:
    """Return the standard deviation (n,) of the logarithm of outcomes that intervals imply; NaN without one."""
    if not {"low", "high", "level"} <= set(frame.columns):
        return np.full(len(frame), np.nan)
    low, high, level = (frame[name].to_numpy(np.float64, na_value=np.nan) for name in ("low", "high", "level"))
    if covered and "version" in frame.columns:
        tested = frame["version"].map(covered).to_numpy(np.float64)
        level = np.where(np.isfinite(tested), np.clip(tested, *_COVERED), level)
    with np.errstate(divide="ignore", invalid="ignore"):
        width = np.log(high / low)
    return np.asarray(np.where(np.isfinite(width), width, np.nan) / (2.0 * norm.ppf(0.5 + level / 2.0)))
