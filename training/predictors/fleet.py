"""A fitted fleet of one kind of model: fitted on examples, forecasting windows, stored as plain arrays.

One symbol is a fleet of one. :class:`~training.predictors.bars_predictor.BarsPredictor` adds what a person needs.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from configs.errors import DataError, ModelError, shortened
from configs.schema import Config
from features.bars.period import BarPeriod
from features.panel import Panel
from features.universe import UniverseFacts
from training.data.arrays import Arrays, Float
from training.data.examples import Examples, Int64, Part, panel_rows
from training.data.windows import Windows
from training.predictors.chunks import joined, panel_chunks
from training.tasks import Task, task_of

logger = logging.getLogger(__name__)

LAST_OUTCOMES = "last_outcomes"


class PredictorFleet(ABC):
    """Fitted models of S symbols.

    Attributes
    ----------
    config
        The run's configuration.
    symbols
        The symbols that are fitted, in row order.
    feature_names
        The panel's columns that the fleet was fitted on.
    universe
        How many symbols the universe had that it was fitted with, and the lag; None where features need no universe.
    period
        The period of the bars that it was fitted on, such as daily; forecasts are made from bars of the same one.
    failures
        Symbols that could not be fitted, each with its reason; the others are unaffected.
    trained_to, calibrated_to
        The times of the last outcomes that weights and calibration have seen; None before a fit. A forecast from a bar
        before ``calibrated_to`` is not out of sample.
    """

    kind: ClassVar[str]

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or Config()
        self.symbols: tuple[str, ...] = ()
        self.feature_names: tuple[str, ...] = ()
        self.universe: UniverseFacts | None = None
        self.period = BarPeriod()
        self.failures: dict[str, str] = {}
        self.trained_to: datetime | None = None
        self.calibrated_to: datetime | None = None
        self._fitted_pool: Arrays | None = None

    def fit_every(self, examples: Examples, tested: Self | None = None) -> Self:
        """Fit what symbols share, then every symbol that can be fitted; the others go to ``failures``.

        ``tested`` is an earlier fit on fewer rows. Its symbols are fitted with its choices on validation (features,
        ridge, epochs, how much of a network is kept), so that this is the model that was tested.

        Raises
        ------
        DataError
            None can be fitted.
        """
        short = examples.insufficient_data()
        known = examples.panel.symbols if tested is None else tested.symbols
        chosen = examples.select(tuple(s for s in known if s in examples.panel.symbols and s not in short))
        if chosen.rows:
            self._fitted_pool = self.fit_pooled(chosen, tested._fitted_pool if tested else None)
            self.fit_examples(chosen, self._fitted_pool, tested)
        self.failures = short | self.failures
        for symbol, reason in self.failures.items():
            logger.info("%s: no %s model (%s)", symbol, self.kind, reason)
        if not self.symbols:
            reasons = "; ".join(f"{symbol}: {why}" for symbol, why in list(self.failures.items())[:3])
            raise DataError(
                f"no symbol can be fitted ({reasons}). Correct the bars, give longer histories, or move the split."
            )
        return self

    @abstractmethod
    def fit_pooled(self, examples: Examples, tested: Mapping[str, npt.NDArray[Any]] | None = None) -> Arrays:
        """Fit what symbols share on a sample of them, and return it as arrays for :meth:`fit_examples`.

        ``tested`` are the arrays of an earlier fit, whose choices on validation are used again.
        """

    @abstractmethod
    def fit_examples(
        self, examples: Examples, pooled: Mapping[str, npt.NDArray[Any]], tested: Self | None = None
    ) -> Self:
        """Fit every symbol of the examples; those that fail go to ``failures`` and are not among ``symbols``.

        ``tested`` is an earlier fit of these symbols and perhaps others, whose choices on validation are used again.
        """

    def _note_outcomes(self, examples: Examples, pooled: Mapping[str, npt.NDArray[Any]]) -> None:
        """Set the times up to which weights and calibration of these symbols, and of the pool, have seen outcomes."""
        latest = examples.last_outcomes(self.config.section(self.kind).horizon)
        latest = np.maximum(latest, pooled.get(LAST_OUTCOMES, latest))
        self.trained_to, self.calibrated_to = latest.view("datetime64[ns]").astype("datetime64[us]").tolist()

    @abstractmethod
    def forecast_with_baselines(
        self, windows: Windows, symbols: Int64
    ) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Float]]:
        """Return the columns of a forecast, and what it is compared with, for windows of any mix of symbols.

        ``symbols`` (n,) are rows of this fleet; the one after the last is of unseen symbols (:attr:`forecasts_unseen`).
        """

    def forecast_windows(self, windows: Windows, symbols: Int64) -> dict[str, npt.NDArray[Any]]:
        """Return the columns (n,) of :meth:`forecast_with_baselines`."""
        return self.forecast_with_baselines(windows, symbols)[0]

    def forecast(self, panel: Panel, rows: Sequence[Int64]) -> dict[str, npt.NDArray[Any]]:
        """Return the columns (n,) for these rows within each symbol of a panel, each at least :meth:`first_row`."""
        return joined([self.forecast_windows(*chunk) for chunk in self.chunks(panel, rows)])

    def compare(
        self, panel: Panel, rows: Sequence[Int64]
    ) -> tuple[dict[str, npt.NDArray[Any]], dict[str, npt.NDArray[Any]]]:
        """Return the columns (n,) for rows of a panel, and those (n, …) of what the forecast is compared with."""
        found = [self.forecast_with_baselines(*chunk) for chunk in self.chunks(panel, rows)]
        return joined([columns for columns, _ in found]), joined([others for _, others in found])

    def windows(self, panel: Panel, rows: Sequence[Int64]) -> Windows:
        """Return what a forecast of these rows reads."""
        at, symbol = panel_rows(panel, rows)
        series, year = self._series_at(panel, at, symbol), panel.bars_per_year[symbol]
        return Windows.of(panel.dates[at], panel.features, at, series, year, self.window)

    def chunks(self, panel: Panel, rows: Sequence[Int64]) -> Iterator[tuple[Windows, Int64]]:
        """Yield the windows of these rows and their symbols' rows (n,) in this fleet, some thousand at a time."""
        return panel_chunks(panel, rows, self._rows_of(panel), self._series(panel), self.window)

    def _series(self, panel: Panel) -> Float:
        """Return what forecasts read of a symbol's history before the window, (rows, K)."""
        return np.zeros((len(panel.dates), 0))

    def _series_at(self, panel: Panel, panel_rows: Int64, symbol: Int64) -> Float:
        """Return rows ``panel_rows`` (n,) of :meth:`_series`, which are of each ``symbol`` (n,), in ascending order."""
        return self._series(panel)[panel_rows]

    @abstractmethod
    def row_losses(self, examples: Examples, part: Part) -> tuple[Float, Int64]:
        """Return the loss (n,) of every row of ``train``, ``valid`` or ``test``, and its symbol's position (n,)."""

    @abstractmethod
    def to_arrays(self) -> Arrays:
        """Return the fitted state as plain arrays."""

    @abstractmethod
    def _load(self, arrays: Mapping[str, npt.NDArray[Any]], rows: Int64) -> None:
        """Take the state of these rows from arrays of :meth:`to_arrays`."""

    @abstractmethod
    def _score(self, panel: Panel, rows: Sequence[Int64]) -> float:
        """Return one number that summarises one forecast, for contributions."""

    def meta(self) -> dict[str, Any]:
        """Return what :meth:`from_state` needs besides the arrays, as JSON."""
        return {
            "config": self.config.of_models(),
            "feature_names": list(self.feature_names),
            "universe": asdict(self.universe) if self.universe else None,
            "period": asdict(self.period),
            "trained_to": self.trained_to.isoformat() if self.trained_to else None,
            "calibrated_to": self.calibrated_to.isoformat() if self.calibrated_to else None,
        }

    @classmethod
    def from_state(
        cls,
        symbols: Sequence[str],
        arrays: Mapping[str, npt.NDArray[Any]],
        meta: Mapping[str, Any],
        only: Sequence[str] | None = None,
    ) -> Self:
        """Rebuild a fitted predictor of ``symbols``, or of ``only`` some of them.

        Raises
        ------
        ModelError
            A symbol is not in the state.
        """
        predictor = cls(Config.model_validate(meta["config"]))
        position = {symbol: i for i, symbol in enumerate(symbols)}
        chosen = tuple(symbols if only is None else only)
        if new := [symbol for symbol in chosen if symbol not in position]:
            raise ModelError(f"symbol {new[0]!r} is not in this model; it has {shortened(symbols)}. Train it first.")
        predictor.symbols = chosen
        predictor.feature_names = tuple(meta["feature_names"])
        predictor.universe = UniverseFacts(**universe) if (universe := meta.get("universe")) else None
        predictor.period = BarPeriod(**meta["period"])
        for name in ("trained_to", "calibrated_to"):
            setattr(predictor, name, datetime.fromisoformat(meta[name]) if meta[name] else None)
        predictor._load(arrays, np.array([position[symbol] for symbol in chosen], np.int64))
        return predictor

    @property
    def forecasts_unseen(self) -> bool:
        """Whether symbols that were not fitted can be forecast, by what all fitted symbols share."""
        return True

    @property
    def settings(self) -> tuple[Any, ...]:
        """What the forecasts of one fleet have in common, whatever run fitted it."""
        config, features = self.config, (self.config.features, self.feature_names, self.universe, self.period.name)
        return features, config.section(self.kind), config.direction.label, config.run.seed

    @property
    def task(self) -> Task:
        """What this kind of model forecasts."""
        return task_of(self.kind)

    def first_row(self, panel: Panel) -> int:
        """Return the first row of a symbol in such a panel that can have a forecast."""
        return self.task.first_row(panel, self.config)

    @property
    def window(self) -> int:
        """Bars that one forecast looks back on."""
        return self.config.section(self.kind).network.window

    def _check_fitted(self) -> None:
        if not self.symbols:
            raise ModelError(f"this {type(self).__name__} is not fitted. Call fit(bars) first.")

    def _rows_of(self, panel: Panel) -> Int64:
        """Return each symbol's row in the fleet (S,); of one that was not fitted the row after the last."""
        position = {symbol: i for i, symbol in enumerate(self.symbols)}
        if not self.forecasts_unseen and (unknown := [one for one in panel.symbols if one not in position]):
            raise ModelError(f"there is no model for {unknown[0]!r}; this one has {shortened(self.symbols)}.")
        return np.array([position.get(symbol, len(position)) for symbol in panel.symbols], np.int64)
