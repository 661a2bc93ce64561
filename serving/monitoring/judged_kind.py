"""What differs between kinds of models when their live forecasts are judged."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from configs.values import Kind
from serving.journal.kind_columns import KIND_COLUMNS
from serving.monitoring.losses import LossGaps
from training.metrics.daily_sums import DailySums
from training.metrics.ratio import Array

if TYPE_CHECKING:
    from serving.monitoring.calibrated import CalibrationBin


class JudgedKind(ABC):
    """How tables show the forecasts of a kind, and how these are scored.

    Attributes
    ----------
    kind
        Its name.
    outcome, stored_outcome
        The column of outcomes in tables, and in the journal's table ``outcomes``.
    implied
        Subject and verb: what implies the loss that forecasts expect.
    forecast_title, outcome_title
        Titles of the chart of calibration.
    """

    kind: ClassVar[Kind]
    outcome: ClassVar[str]
    stored_outcome: ClassVar[str]
    implied: ClassVar[str]
    forecast_title: ClassVar[str]
    outcome_title: ClassVar[str]

    @property
    def columns(self) -> tuple[str, ...]:
        """The k columns of a forecast; those of a baseline end with ``_NAME``."""
        return KIND_COLUMNS[self.kind].forecast

    def forecasts(self, frame: pd.DataFrame, baseline: str = "") -> Array:
        """Return the model's or a baseline's forecasts (n, k); NaN where there are none."""
        end = f"_{baseline}" if baseline else ""
        return numbers(frame, [f"{name}{end}" for name in self.columns])

    def baselines(self, frame: pd.DataFrame) -> list[str]:
        """Return the baselines with a forecast in any row, in the order of the columns."""
        head = f"{self.columns[-1]}_"
        names = [str(column).removeprefix(head) for column in frame.columns if str(column).startswith(head)]
        return [name for name in names if np.isfinite(self.forecasts(frame, name)).any()]

    def outcomes(self, frame: pd.DataFrame, column: str | None = None) -> Array:
        """Return the outcomes (n,), NaN or negative where not known; ``column`` is another column of them."""
        return np.asarray(frame[column or self.outcome].to_numpy(dtype=np.float64, na_value=np.nan))

    def is_known(self, frame: pd.DataFrame, column: str | None = None) -> npt.NDArray[np.bool_]:
        """Return where the outcome is known (n,)."""
        values = self.outcomes(frame, column)
        return np.asarray(np.isfinite(values) & (values >= 0))

    @abstractmethod
    def gaps(self, outcome: Array, own: Array, other: Array, outlier: float) -> LossGaps:
        """Return the loss gaps (n,) of forecasts (n, k) to a reference's (n, k), all finite.

        Raises
        ------
        ValueError
            A forecast or an outcome is not possible.
        """

    @abstractmethod
    def missed(self, frame: pd.DataFrame, outcome: Array) -> Array:
        """Return 1 where the outcome (n,) is outside the label set or interval, else 0; NaN where either is unknown."""

    @abstractmethod
    def losses(self, outcome: Array, own: Array) -> Array:
        """Return the loss (n,) by which versions are tested, of forecasts (n, k)."""

    @abstractmethod
    def expected(self, frame: pd.DataFrame, baseline: str, covered: Mapping[str, float]) -> tuple[Array, Array]:
        """Return the loss and the gain on a baseline that forecasts expect of themselves, each (n,), NaN if unknown.

        ``covered`` is, by version, the share of outcomes inside its intervals at its test.
        """

    @abstractmethod
    def sums(self, frame: pd.DataFrame) -> DailySums | None:
        """Return the daily sums of rows with a known outcome; None if there are none."""

    @abstractmethod
    def calibration(self, rows: pd.DataFrame) -> list[tuple[str, Array, Array]]:
        """Return what is forecast, its forecasts and its outcomes, each (n,), of rows with a known outcome."""

    def in_shown_units(self, one: CalibrationBin) -> CalibrationBin:
        """Return a bin of :meth:`calibration` in the units of the chart."""
        return one


def numbers(frame: pd.DataFrame, names: Sequence[str]) -> Array:
    """Return columns (n, k) of a frame; NaN for columns that it lacks."""
    missing = np.full(len(frame), np.nan)
    columns = [
        frame[name].astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan) if name in frame else missing
        for name in names
    ]
    return np.stack(columns, axis=1)
