"""Volatility: the mean variance of the next bars from a blend of members, with conformal intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from features.labels import annualised
from features.panel import Panel
from features.scaling import FleetScaler
from training.evaluation.metrics import qlike_rows
from training.examples import Examples, Int64, Part, panel_rows
from training.fleet.fit import predict_windows
from training.predictors.banks import BankLayout
from training.predictors.base import BasePredictor
from training.predictors.columns import own_columns
from training.predictors.state import Arrays, Float, Float32, part_of, prefixed, take_rows
from training.predictors.volatility_network import correction_factors, network_corrections, volatility_network
from training.predictors.volatility_own import fit_own_forests, fit_own_linear, fit_own_network, own_base
from training.predictors.volatility_pool import VolatilityPool, fit_volatility_pool, linear_forecast
from training.predictors.windows import Windows, window_features
from training.volatility.blend import BlendFleet, fit_blend
from training.volatility.ewma import EwmaFleet, fit_ewma
from training.volatility.forest import ForestFleet
from training.volatility.garch import GarchFleet, fit_garch
from training.volatility.har import BASELINE_LAGS, MEMBER_LAGS, HarFleet, fit_per_symbol, har_design, har_lags


class VolatilityPredictor(BasePredictor):
    """A fleet of volatility ensembles: log-HAR, GARCH, LSTM and random forest, blended by QLIKE on validation.

    Forecasts are the mean variance a bar over the next ``horizon`` bars (``variance``) and its annualised square root
    (``volatility``, a fraction a year). The forest and the network correct the log-HAR's forecast; the strategy says
    whether they are shared or each symbol's own. The log-HAR is always each symbol's own, shrunk to the pooled one.

    Examples
    --------
    >>> from configs import load_config
    >>> from features.sources.embedded import EmbeddedSource
    >>> bars = list(EmbeddedSource().load(["AAPL", "IBM", "MSFT"]))
    >>> predictor = VolatilityPredictor(load_config("smoke")).fit(bars)
    >>> latest = predictor.predict(bars).loc["IBM"].iloc[-1]
    >>> bool(latest["volatility_low"] < latest["volatility"] < latest["volatility_high"])
    True
    """

    kind: ClassVar[str] = "volatility"

    _scaler: FleetScaler  # one for all
    _columns: Int64  # (1, k), one choice for all
    _log_har_pooled: HarFleet  # one for all
    _log_har: HarFleet
    _ewma: EwmaFleet
    _garch: GarchFleet
    _linear: HarFleet
    _forest: ForestFleet | None  # one for all, or each symbol's
    _weights: Float32 | None  # (S, P), or (1, P) for all
    _level: Float  # of the network: (S,), or (1,) for all
    _blend: BlendFleet

    def fit_pooled(self, examples: Examples) -> Arrays:
        """Fit what symbols share: the scaler, both pooled log-HARs, the forest, the network, the blend's weights."""
        return fit_volatility_pool(examples, self.config).to_arrays()

    def fit_examples(self, examples: Examples, pooled: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Fit every member of every symbol, shrunk to what all symbols share."""
        part, panel = self.config.volatility, examples.panel
        pool = VolatilityPool.from_arrays(pooled)
        self.symbols, self.failures = panel.symbols, {}
        self.feature_names, self.universe = panel.feature_names, panel.universe
        self._scaler, self._columns, self._log_har_pooled = pool.scaler, pool.columns, pool.log_har
        train, _ = examples.places(examples.part("train"))
        is_train = np.zeros(len(examples.targets), bool)
        is_train[train] = True
        lagged = har_design(panel.variance, panel.offsets, BASELINE_LAGS)
        self._log_har = fit_per_symbol(lagged, examples.targets, panel.offsets, is_train, BASELINE_LAGS)
        self._ewma = fit_ewma(panel.variance, examples.targets, panel.offsets, is_train)
        # A symbol whose GARCH cannot be estimated has no GARCH forecast; the blend gives the other members its weight.
        self._garch, _ = fit_garch(panel.close, examples.targets, panel.offsets, is_train, part.horizon)
        self._linear = fit_own_linear(examples, pool)
        self._forest, self._weights, self._level = pool.forest, pool.weights, pool.level
        if part.strategy != "pooled":
            base = own_base(examples, pool, self._linear)
            if pool.weights is not None:
                self._weights, self._level = fit_own_network(examples, pool, base, self.config)
            if pool.forest is not None and part.strategy == "per_symbol":
                self._forest = fit_own_forests(examples, pool, base, self.config)
        valid, symbol = examples.places(examples.part("valid"))
        table = self._members(panel, examples.part("valid"))
        self._blend = fit_blend(
            table,
            examples.targets[valid],
            symbol,
            np.ones(len(valid), bool),
            len(examples.rows),
            part.horizon,
            pool.blend,
            part.blend_shrinkage,
            part.interval_level,
        )
        broken = np.unique(symbol[~(np.isfinite(table) & (table > 0)).any(axis=1)])
        if len(broken):
            reason = "no member has a forecast for some validation bars"
            self.failures = {self.symbols[i]: reason for i in broken}
            kept = np.setdiff1d(np.arange(len(self.symbols)), broken)
            arrays, self.symbols = self.to_arrays(), tuple(self.symbols[i] for i in kept)
            self._load(arrays, kept)
        return self

    def forecast(self, panel: Panel, rows: Sequence[Int64]) -> dict[str, npt.NDArray[Any]]:
        """Return ``variance`` and its interval ``_low, _high``, and the three as annualised ``volatility``."""
        return self._blended(panel, rows, self._members(panel, rows))

    def windows(self, panel: Panel, rows: Sequence[Int64]) -> Windows:
        """Return the features of each window, the log-HAR's means and the GARCH's next variance."""
        places, _ = panel_rows(panel, rows)
        garch = self._garch.take(self._rows_of(panel))
        return Windows(
            panel.dates[places],
            window_features(panel.features, places, self.window),
            har_lags(panel.variance, panel.offsets, MEMBER_LAGS)[places],
            garch.inputs(panel.close, panel.offsets)[places],
        )

    def forecast_windows(self, windows: Windows, symbols: Int64) -> dict[str, npt.NDArray[Any]]:
        """Return the columns of :meth:`forecast`."""
        scaled = self._scaler.transform_rows(windows.features, symbols)
        columns = own_columns(self.feature_names, self._columns)[0]
        constant = np.ones((len(windows), 1))
        design = np.concatenate([constant, windows.log_means, scaled[:, -1][:, self._columns[0]]], axis=1)
        base = self._linear.forecast(design, symbols)
        found = {"log_har": base}
        if "garch" in self.config.volatility.members:
            horizon = self.config.volatility.horizon
            found["garch"] = self._garch.forecast(windows.next_variance, symbols, horizon)
        if self._forest is not None:
            tree = symbols if len(self._forest) > 1 else np.zeros(len(symbols), np.int64)
            found["forest"] = self._forest.forecast(base, scaled[:, -1][:, columns], tree)
        if self._weights is not None:
            network, weights = volatility_network(self.config, columns[None]), take_rows(self._weights, symbols)
            outputs = predict_windows(network, weights, np.ascontiguousarray(scaled[:, :, columns]))
            found["lstm"] = take_rows(self._level, symbols) * base * correction_factors(outputs[:, 0])
        table = np.stack([found[name] for name in self.config.volatility.members], axis=1)
        return self._columns_of(table, symbols)

    def forecast_beside(
        self, panel: Panel, rows: Sequence[Int64]
    ) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Float]]:
        """Return the forecast, and the variances of what it is judged against: baselines, then members.

        Baselines are ``ewma``, ``garch``, ``log_har`` (per symbol) and ``log_har_pooled``; members ``linear``,
        ``forest`` and ``lstm``. One is NaN for a row that it has no forecast for.
        """
        own = self._rows_of(panel)
        places, position = panel_rows(panel, rows)
        symbol = own[position]
        table = self._members(panel, rows)
        out = self._blended(panel, rows, table)
        lagged = har_design(panel.variance, panel.offsets, BASELINE_LAGS)[places]
        ewma = self._ewma.take(own)
        others = {
            "ewma": ewma.forecast(ewma.inputs(panel.variance, panel.offsets)[places], position),
            "garch": self._garch_forecast(panel, rows),
            "log_har": self._log_har.forecast(lagged, symbol),
            "log_har_pooled": self._log_har_pooled.forecast(lagged, np.zeros(len(symbol), np.int64)),
        }
        for name, values in zip(self.config.volatility.members, table.T, strict=True):
            others |= {} if name == "garch" else {"linear" if name == "log_har" else name: values}
        usable = {name: np.isfinite(values) & (values > 0) for name, values in others.items()}
        return out, {name: np.where(usable[name], values, np.nan) for name, values in others.items()}

    def row_losses(self, examples: Examples, part: Part) -> tuple[Float, Int64]:
        """Return QLIKE."""
        columns = self.forecast(examples.panel, examples.part(part))
        places, symbol = examples.places(examples.part(part))
        return qlike_rows(examples.targets[places], columns["variance"]), symbol

    def to_arrays(self) -> Arrays:
        """Return the fitted state, member by member."""
        fleets: dict[str, Any] = {
            "scaler": self._scaler,
            "log_har_pooled": self._log_har_pooled,
            "log_har": self._log_har,
            "ewma": self._ewma,
            "garch": self._garch,
            "linear": self._linear,
            "forest": self._forest,
            "blend": self._blend,
        }
        out: Arrays = {"columns": self._columns}
        for name, fleet in fleets.items():
            out |= prefixed(name, fleet.to_arrays()) if fleet is not None else {}
        return out if self._weights is None else out | {"weights": self._weights, "level": self._level}

    def _load(self, arrays: Mapping[str, npt.NDArray[Any]], rows: Int64) -> None:
        self._scaler = FleetScaler.from_arrays(part_of(arrays, "scaler"))
        self._columns = arrays["columns"]
        self._log_har_pooled = HarFleet.from_arrays(part_of(arrays, "log_har_pooled"))
        self._log_har = HarFleet.from_arrays(part_of(arrays, "log_har")).take(rows)
        self._ewma = EwmaFleet.from_arrays(part_of(arrays, "ewma")).take(rows)
        self._garch = GarchFleet.from_arrays(part_of(arrays, "garch")).take(rows)
        self._linear = HarFleet.from_arrays(part_of(arrays, "linear")).take(rows)
        self._blend = BlendFleet.from_arrays(part_of(arrays, "blend")).take(rows)
        forest = part_of(arrays, "forest")
        self._forest = ForestFleet.from_arrays(forest) if forest else None
        self._weights, self._level = arrays.get("weights"), arrays.get("level", np.ones(1))
        if self.config.volatility.strategy == "per_symbol" and self._forest is not None:
            self._forest = self._forest.take(rows)
        if self.config.volatility.strategy != "pooled" and self._weights is not None:
            self._weights, self._level = self._weights[rows], self._level[rows]

    def _blended(self, panel: Panel, rows: Sequence[Int64], table: Float) -> dict[str, npt.NDArray[Any]]:
        return self._columns_of(table, self._rows_of(panel)[panel_rows(panel, rows)[1]])

    def _columns_of(self, table: Float, symbol: Int64) -> dict[str, npt.NDArray[Any]]:
        variance = self._blend.forecast(table, symbol)
        low, high = self._blend.interval(variance, symbol).T
        ends = {"": variance, "_low": low, "_high": high}
        out = {f"variance{end}": values for end, values in ends.items()}
        return out | {f"volatility{end}": annualised(values) for end, values in ends.items()}

    def _members(self, panel: Panel, rows: Sequence[Int64]) -> Float:
        """Return each member's variance for these rows (n, M), NaN where it has none."""
        own = self._rows_of(panel)
        places, position = panel_rows(panel, rows)
        base = linear_forecast(panel, rows, self._scaler, self._columns, self._linear, own)
        columns = own_columns(panel.feature_names, self._columns)
        found = {"log_har": base}
        if "garch" in self.config.volatility.members:
            found["garch"] = self._garch_forecast(panel, rows)
        if self._forest is not None:
            tree = own[position] if len(self._forest) > 1 else np.zeros(len(position), np.int64)
            x = self._scaler.transform(panel.features[places])[:, columns[0]]
            found["forest"] = self._forest.forecast(base, x, tree)
        if self._weights is not None:
            layout = BankLayout.of(rows, self.window)
            bank = layout.features(panel, self._scaler, columns)
            weights, level = take_rows(self._weights, own), take_rows(self._level, own)
            if len(weights) < len(own):
                weights, level = np.repeat(weights, len(own), axis=0), np.repeat(level, len(own))
            network = volatility_network(self.config, columns)
            corrections = network_corrections(network, weights, bank, layout.ends(rows))
            found["lstm"] = level[position] * base * corrections
        return np.stack([found[name] for name in self.config.volatility.members], axis=1)

    def _garch_forecast(self, panel: Panel, rows: Sequence[Int64]) -> Float:
        garch = self._garch.take(self._rows_of(panel))
        places, position = panel_rows(panel, rows)
        inputs = garch.inputs(panel.close, panel.offsets)[places]
        return garch.forecast(inputs, position, self.config.volatility.horizon)

    def _score(self, panel: Panel, rows: Sequence[Int64]) -> float:
        return float(np.log(self.forecast(panel, rows)["variance"][0]))
