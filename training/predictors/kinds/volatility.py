"""Volatility: the mean variance of the next bars, a log-HAR corrected by an ensemble, with adaptive intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from configs.schema import Config
from features.labels import annualised
from features.panel import Panel
from training.data.arrays import Arrays, Float, Stored, part_of, prefixed
from training.data.examples import Examples, Int64, Part
from training.data.windows import Windows
from training.metrics.volatility import qlike_rows
from training.models.volatility.fleet_state import FleetState
from training.models.volatility.intervals import IntervalFleet, fit_own_intervals
from training.models.volatility.member import Rows
from training.models.volatility.member_ensemble import VolatilityEnsemble
from training.models.volatility.members import alone
from training.models.volatility.regression import LinearFleet
from training.predictors.bars_predictor import BarsPredictor
from training.predictors.fitted_parameters import volatility_parameters
from training.predictors.volatility_pool import fit_member_alone, fit_volatility_pool, members_of_parts
from training.predictors.volatility_shared import (
    LinearFit,
    SharedVolatility,
    fit_data,
    fit_own_linear_rows,
    fit_own_members,
    members_from_arrays,
    members_to_arrays,
)

_NEVER = np.iinfo(np.int64).max


class VolatilityPredictor(BarsPredictor):
    """A fleet of volatility ensembles: a log-HAR that linear member, LSTM, forest, boosting and GARCH correct.

    Forecasts are the mean variance a bar over the next ``horizon`` bars (``variance``) and its annualised square root
    (``volatility``, a fraction a year). How far the members are used depends on how many rows they were fitted on
    (:mod:`training.models.volatility.combination`); with few the forecast is the log-HAR's, whose coefficients are
    shrunk to a shipped prior. A symbol that was not fitted gets what all fitted symbols share.

    Parameters
    ----------
    model_type
        ``ensemble``, or a member of the ensemble used alone, such as ``garch`` or ``har``; not the *kind* that
        ``ModelTrainer`` calls ``model_types``.
    garch_type
        ``GARCH``, ``GJR`` (with leverage; the default) or ``EGARCH``.
    config, network
        As for :class:`.BarsPredictor`.

    Examples
    --------
    >>> from configs import load_config
    >>> from features import load_bars
    >>> bars = load_bars("embedded", ["AAPL", "IBM", "MSFT"])
    >>> predictor = VolatilityPredictor(load_config("smoke")).fit(bars)
    >>> latest = predictor.predict(bars).loc["IBM"].iloc[-1]
    >>> bool(latest["volatility_low"] < latest["volatility"] < latest["volatility_high"])
    True
    """

    kind: ClassVar[str] = "volatility"
    estimator_type: ClassVar[str | None] = "regressor"

    _shared: SharedVolatility
    _ensemble: VolatilityEnsemble
    # One row per symbol, then the row of symbols that were not fitted:
    _interval: IntervalFleet  # as fitted on validation
    _adapted: IntervalFleet  # as of the last known outcome, for bars after it
    _adapted_to: Int64  # when that outcome was known, in ns
    _bars_per_year: Float  # NaN in the last row: those of the bars that are forecast

    def __init__(
        self,
        config: Config | None = None,
        *,
        model_type: str | None = None,
        garch_type: str | None = None,
        **network: Any,
    ) -> None:
        super().__init__(config, model_type=model_type, garch_type=garch_type, **network)

    def _configured(self) -> Config:
        config = super()._configured()
        alone(config.volatility)  # raises ConfigError where the member does not exist
        return config

    @classmethod
    def fitted_parameters(cls, arrays: Mapping[str, npt.NDArray[Any]], config: Config) -> dict[str, float]:
        """Return weights of members, and parameters of the anchor, members and intervals."""
        return volatility_parameters(arrays, config)

    def fit_pooled(self, examples: Examples, tested: Stored | None = None) -> Arrays:
        """Fit what symbols share, the members' bounds on train rows, and the pooled interval on validation rows."""
        return self.fit_from_parts(examples, tested, ())

    def fit_part(self, part: str, examples: Examples, tested: Stored | None) -> Arrays:
        """Fit one member on these symbols together."""
        return fit_member_alone(part, examples, self.config, tested)

    def fit_from_parts(self, examples: Examples, tested: Stored | None, parts: Sequence[Stored]) -> Arrays:
        """Fit what symbols share, with the members that are fitted already."""
        return fit_volatility_pool(examples, self.config, self.window, tested, members_of_parts(parts))

    def fit_examples(
        self, examples: Examples, pooled: Mapping[str, npt.NDArray[Any]], tested: Self | None = None
    ) -> Self:
        """Fit the baselines, regressions and intervals of every symbol, shrunk to what all symbols share."""
        part, panel = self.config.volatility, examples.panel
        shared, fit = SharedVolatility.from_arrays(pooled), LinearFit.from_arrays(pooled)
        self.symbols, self.failures = panel.symbols, {}
        self.feature_names, self.universe, self.period = panel.feature_names, panel.universe, panel.period
        self._bars_per_year = np.append(panel.bars_per_year, np.nan)
        rows = Rows.of(examples, shared.design, fit.newest)
        self._note_outcomes(examples, pooled)
        earlier = tested._members_of(panel) if tested else None
        own = fit_own_members(fit_data(examples, self.config, shared.design, rows, fit.first, earlier), shared.members)
        # Errors come from a linear fit that has not seen validation rows; the one that is kept has, and baselines have.
        self._stack(own, fit_own_linear_rows(examples, rows, fit, with_valid=False), shared)
        errors, symbol = self._errors(examples)
        level, shrinkage = part.interval_level, part.interval_shrinkage
        interval = fit_own_intervals(errors, symbol, len(self.symbols), part.horizon, level, shared.interval, shrinkage)
        self._stack(own, fit_own_linear_rows(examples, rows, fit, with_valid=True), shared)
        self._interval = self._adapted = IntervalFleet.concat([interval, shared.interval])
        ends = panel.offsets[:-1] + [rows.valid[-1] + part.horizon for rows in examples.rows]
        self._adapted_to = np.append(panel.dates[ends].astype("datetime64[ns]").view(np.int64), _NEVER)
        return self

    def _members_of(self, panel: Panel) -> dict[str, FleetState]:
        """Return the members with a row for each symbol of a panel, in its order, or the one that all share."""
        rows = self._rows_of(panel)
        return {name: fleet.take(rows) if len(fleet) > 1 else fleet for name, fleet in self._ensemble.members.items()}

    def forecast_with_baselines(
        self, windows: Windows, symbols: Int64
    ) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Float]]:
        """Return the forecast, and the variances of baselines, ``anchor`` and members, NaN where there is none.

        Columns are ``variance`` and its interval ``_low, _high``, the three as annualised ``volatility``, its
        ``bars_per_year``, and ``fallback``: whether the log-HAR or the EWMA replaces an unusable ensemble.
        """
        found = self._ensemble.combine(windows, symbols, self._shared.combination)
        ends = self._interval.ends[symbols]
        late = windows.dates.astype("datetime64[ns]").view(np.int64) > self._adapted_to[symbols]
        ends[late] = self._adapted.ends[symbols[late]]
        low, high = (found.variance * np.exp(end) for end in ends.T)
        three = {"": found.variance, "_low": low, "_high": high}
        fitted = self._bars_per_year[symbols]
        year = np.where(np.isnan(fitted), windows.bars_per_year, fitted)
        columns: dict[str, npt.NDArray[Any]] = {f"variance{end}": values for end, values in three.items()}
        columns |= {f"volatility{end}": annualised(values, year) for end, values in three.items()}
        return columns | {"bars_per_year": year, "fallback": found.fallback}, found.others

    def bars_per_year(self, panel: Panel) -> Float:
        """Return the bars a year (S,) by which each symbol of a panel is annualised, as fitted or of its own bars."""
        known = self._bars_per_year[self._rows_of(panel)]
        return np.where(np.isnan(known), panel.bars_per_year, known)

    def adapted(self, errors: Float, symbol: Int64, known: npt.NDArray[np.datetime64]) -> tuple[Float, Self]:
        """Return interval ends (n, 2) of ln(y / f) made walk-forward, and a predictor with the state after the last.

        Rows are in order of time: ``errors`` (n,) are ln(y / f), ``symbol`` (n,) rows of this fleet, ``known`` (n,) the
        dates on which outcomes were known. Bars up to a symbol's last outcome keep validation's intervals: the later
        state knows their outcomes.
        """
        part, out = self.config.volatility, copy(self)
        ends, out._adapted = self._interval.walk_forward(errors, symbol, part.horizon, part.interval_level)
        out._adapted_to = self._adapted_to.copy()
        np.maximum.at(out._adapted_to, symbol, known.astype("datetime64[ns]").view(np.int64))
        return ends, out

    def row_losses(self, examples: Examples, part: Part) -> tuple[Float, Int64]:
        """Return QLIKE (n,), and each row's position among the symbols (n,)."""
        columns = self.forecast(examples.panel, examples.part(part))
        panel_rows, symbol = examples.panel_rows(examples.part(part))
        return qlike_rows(examples.targets[panel_rows], columns["variance"]), symbol

    def to_arrays(self) -> Arrays:
        """Return the fitted state: what all symbols share, and what each has of its own."""
        own = np.arange(len(self.symbols))
        members = {name: fleet.take(own) for name, fleet in self._ensemble.members.items() if len(fleet) > 1}
        return {
            **self._shared.to_arrays(),
            **members_to_arrays(members),
            **prefixed("linear", self._ensemble.linear.take(own).to_arrays()),
            **prefixed("interval", self._interval.take(own).to_arrays()),
            **prefixed("adapted", self._adapted.take(own).to_arrays()),
            "adapted_to": self._adapted_to[own],
            "bars_per_year": self._bars_per_year[own],
        }

    def _load(self, arrays: Mapping[str, npt.NDArray[Any]], rows: Int64) -> None:
        shared = SharedVolatility.from_arrays(arrays)
        members = {name: fleet.take(rows) for name, fleet in members_from_arrays(arrays).items()}
        self._stack(members, LinearFleet.from_arrays(part_of(arrays, "linear")).take(rows), shared)
        for name in ("interval", "adapted"):
            own = IntervalFleet.from_arrays(part_of(arrays, name)).take(rows)
            setattr(self, f"_{name}", IntervalFleet.concat([own, shared.interval]))
        self._adapted_to = np.append(arrays["adapted_to"][rows], _NEVER)
        self._bars_per_year = np.append(arrays["bars_per_year"][rows], np.nan)

    def _stack(self, own: Mapping[str, Any], linear: LinearFleet, shared: SharedVolatility) -> None:
        """Take what all symbols share, and the symbols' own fleets, each followed by the row of those not fitted."""
        members = {
            name: type(fleet).concat([own[name], fleet]) if name in own else fleet
            for name, fleet in shared.members.items()
        }
        both = LinearFleet.concat([linear, shared.linear])
        self._shared = shared
        self._ensemble = VolatilityEnsemble(self.config, shared.design, both, shared.market, members)

    def _series(self, panel: Panel) -> Float:
        return self._ensemble.series(panel, self._rows_of(panel))

    def _series_at(self, panel: Panel, panel_rows: Int64, symbol: Int64) -> Float:
        return self._ensemble.series_at(panel, self._rows_of(panel), panel_rows, symbol)

    def _errors(self, examples: Examples) -> tuple[Float, Int64]:
        """Return ln(y / f) of the validation rows, and each row's symbol."""
        chunks = self.chunks(examples.panel, examples.part("valid"))
        variance = [self._ensemble.combine(*chunk, self._shared.combination).variance for chunk in chunks]
        panel_rows, symbol = examples.panel_rows(examples.part("valid"))
        return np.log(examples.targets[panel_rows] / np.concatenate(variance)), symbol

    def _score(self, panel: Panel, rows: Sequence[Int64]) -> float:
        return float(np.log(self.forecast(panel, rows)["variance"][0]))


PREDICTOR = VolatilityPredictor
