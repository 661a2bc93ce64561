# LEAD REWRITES THIS FILE AND volatility_pool.py UNTIL 14:50 (new recipe, memory): please leave both alone till then.
"""Volatility: the mean variance of the next bars from a blend of members, with conformal intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from features.labels import annualised
from features.panel import Panel
from features.scaling import FleetScaler
from training.examples import Examples, joined_bank, padded_targets, scaled_bank, thinned_rows
from training.fleet.fit import FitPlan, fit_fleet, predict_fleet
from training.fleet.losses import qlike
from training.fleet.network import FleetNetwork
from training.fleet.windows import FleetData
from training.metrics import qlike_rows
from training.predictors.base import Arrays, BasePredictor, Float, Int64, part_of, prefixed
from training.volatility.blend import BlendFleet, fit_blend, fit_pooled_blend
from training.volatility.ewma import EwmaFleet, fit_ewma
from training.volatility.forest import ForestFleet, fit_forest
from training.volatility.garch import GarchFleet, fit_garch
from training.volatility.har import (
    BASELINE_LAGS,
    MEMBER_LAGS,
    GramAccumulator,
    HarFleet,
    fit_per_symbol,
    fit_pooled,
    fit_shrunk,
    har_design,
)
from training.volatility.state import symbol_index

POOLED = "*pooled*"
LINEAR_FEATURES = (
    "leverage_1",
    "leverage_5",
    "leverage_22",
    "negative_semivariance_5",
    "negative_semivariance_22",
    "atr_5",
    "parkinson_20",
    "universe_har_1",
    "universe_har_5",
    "universe_har_22",
    "universe_har_66",
    "dispersion_5",
    "volume_ratio_5",
    "range_expansion",
)
"""Features of the log-HAR member besides its lags; those of the market context join them."""


class VolatilityPredictor(BasePredictor):
    """A fleet of volatility ensembles: log-HAR, GARCH, LSTM and random forest, blended by QLIKE on validation.

    Forecasts are the mean variance a bar over the next ``horizon`` bars (``variance``) and its annualised square root
    (``volatility``, a fraction a year).

    Example:
        >>> predictor = VolatilityPredictor().fit(bars)  # doctest: +SKIP
        >>> predictor.predict(bars)[["volatility", "volatility_low", "volatility_high"]].tail(1)  # doctest: +SKIP
    """

    kind: ClassVar[str] = "volatility"

    def fit_pooled(self, examples: Examples) -> Arrays:
        """Fit what symbols share: both pooled log-HARs, the forest, the network, and the blend's pooled weights."""
        part, panel = self.config.volatility, examples.panel
        train, valid = _masks(examples)
        scaler = FleetScaler.fit(_train_features(examples), self.config.features)
        scaled = _scaled(panel, scaler)
        target, offsets = examples.targets, panel.offsets
        baseline = fit_pooled(har_design(panel.variance, offsets, BASELINE_LAGS), target, offsets, train, BASELINE_LAGS)
        design = har_design(panel.variance, offsets, MEMBER_LAGS, scaled[:, self._linear(panel)])
        grams = GramAccumulator.of(design, target, offsets, train).pooled()
        linear = fit_pooled(design, target, offsets, train, MEMBER_LAGS)
        base = linear.forecast(design, np.zeros(len(design), np.int64))
        out = prefixed("log_har_pooled", baseline.to_arrays()) | prefixed("linear", linear.to_arrays())
        out |= {"grams/xx": grams.xx, "grams/xy": grams.xy, "grams/count": grams.count}
        forecasts = {"log_har": base}
        if "garch" in part.members:
            garch, _ = fit_garch(panel.close, target, offsets, train, part.horizon)
            forecasts["garch"] = garch.forecast(garch.inputs(panel.close, offsets), symbol_index(offsets), part.horizon)
        known = np.isfinite(base)
        if "forest" in part.members:
            rows = np.flatnonzero(train & known)
            forest = fit_forest(scaled[rows], target[rows], base[rows], part.forest, self.config.run.seed)
            out |= prefixed("forest", forest.to_arrays())
            forecasts["forest"] = np.full(len(base), np.nan)
            rows = np.flatnonzero(valid & known)
            forecasts["forest"][rows] = forest.forecast(base[rows], scaled[rows], np.zeros(len(rows), np.int64))
        if "lstm" in part.members:
            network = self._network(panel)
            bank = scaled_bank(panel, scaler, self._all_columns(panel))
            targets = padded_targets(examples, _log_columns(target, base))
            train_rows, valid_rows = thinned_rows(examples, part.fit.pooled_rows)
            series, train_ends = joined_bank(bank, train_rows)
            _, valid_ends = joined_bank(bank, valid_rows)
            data = FleetData((POOLED,), series, targets.reshape(1, -1, 2), (train_ends,), (valid_ends,))
            plan = replace(self._plan(), epochs=part.fit.pooled_epochs, batch_size=part.fit.pooled_batch_size)
            fit = fit_fleet(network, qlike, data, plan, network.initial_weights([POOLED], self.config.run.seed))
            out |= {"weights": fit.weights, "valid_loss": fit.valid_loss}
            rows, _ = examples.global_rows("valid")
            forecasts["lstm"] = np.full(len(base), np.nan)
            correction = predict_fleet(network, fit.weights, series, (valid_ends,))[0][:, 0]
            forecasts["lstm"][rows] = base[rows] * np.exp(correction)
        table = np.stack([forecasts[name] for name in part.members], axis=1)
        blend = fit_pooled_blend(table, target, valid, part.horizon, part.interval_level)
        return out | prefixed("blend", blend.to_arrays())

    def fit_examples(self, examples: Examples, pooled: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Fit every member of every symbol, shrunk to what all symbols share as the strategy says."""
        part, panel = self.config.volatility, examples.panel
        count, alone = len(examples.rows), part.strategy == "per_symbol"
        train, valid = _masks(examples)
        target, offsets, index = examples.targets, panel.offsets, symbol_index(panel.offsets)
        self.symbols, self.feature_names = panel.symbols, panel.feature_names
        self._scaler = FleetScaler.fit(_train_features(examples), self.config.features)
        scaled = _scaled(panel, self._scaler)
        lagged = har_design(panel.variance, offsets, BASELINE_LAGS)
        self._log_har_pooled = HarFleet.from_arrays(part_of(pooled, "log_har_pooled"))
        self._log_har = fit_per_symbol(lagged, target, offsets, train, BASELINE_LAGS)
        self._ewma = fit_ewma(panel.variance, target, offsets, train)
        self._garch, self.garch_failures = self._fit_garch(examples, train)
        design = har_design(panel.variance, offsets, MEMBER_LAGS, scaled[:, self._linear(panel)])
        if alone:
            self._linear_fleet = fit_per_symbol(design, target, offsets, train, MEMBER_LAGS)
        else:
            grams = GramAccumulator(pooled["grams/xx"], pooled["grams/xy"], pooled["grams/count"])
            pool = (HarFleet.from_arrays(part_of(pooled, "linear")), grams)
            self._linear_fleet = fit_shrunk(design, target, offsets, train, pool)
        base = self._linear_fleet.forecast(design, index)
        self._forest, self._weights = None, None
        if "forest" in part.members:
            if alone:
                forests = []
                for i in range(count):
                    rows = np.flatnonzero(train & (index == i) & np.isfinite(base))
                    forests.append(
                        fit_forest(scaled[rows], target[rows], base[rows], part.forest, self.config.run.seed)
                    )
                self._forest = ForestFleet.concat(forests)
            else:
                self._forest = ForestFleet.from_arrays(part_of(pooled, "forest"))
        if "lstm" in part.members:
            self._weights = self._fit_network(examples, base, pooled)
        self._blend = None
        members = self._members(panel, [rows.valid for rows in examples.rows])
        rows, _ = examples.global_rows("valid")
        table = np.full((len(target), len(part.members)), np.nan)
        table[rows] = np.stack([members[name] for name in part.members], axis=1)
        pool_blend = BlendFleet.from_arrays(part_of(pooled, "blend"))
        self._blend = fit_blend(
            table, target, index, valid, count, part.horizon, pool_blend, part.blend_shrinkage, part.interval_level
        )
        self._drop_broken(table, index, valid)
        return self

    def forecast(self, panel: Panel, rows: Sequence[Int64]) -> dict[str, npt.NDArray[Any]]:
        """Return ``variance``, its interval, annualised ``volatility`` of the three, and each member's and baseline's."""
        own = self._rows_of(panel)
        symbol = np.repeat(own, [len(r) for r in rows])
        members = self._members(panel, rows)
        assert self._blend is not None
        table = np.stack([members[name] for name in self.config.volatility.members], axis=1)
        variance = self._blend.forecast(table, symbol)
        ends = self._blend.interval(variance, symbol)
        out: dict[str, npt.NDArray[Any]] = {
            "variance": variance,
            "variance_low": ends[:, 0],
            "variance_high": ends[:, 1],
            "volatility": annualised(variance),
            "volatility_low": annualised(ends[:, 0]),
            "volatility_high": annualised(ends[:, 1]),
        }
        out |= {f"variance_{'linear' if name == 'log_har' else name}": values for name, values in members.items()}
        places = _places(panel, rows)
        lagged = har_design(panel.variance, panel.offsets, BASELINE_LAGS)[places]
        out["variance_log_har"] = self._log_har.forecast(lagged, symbol)
        out["variance_log_har_pooled"] = self._log_har_pooled.forecast(lagged, np.zeros(len(symbol), np.int64))
        ewma = self._ewma.take(own)
        place = np.repeat(np.arange(len(own)), [len(r) for r in rows])
        out["variance_ewma"] = ewma.forecast(ewma.inputs(panel.variance, panel.offsets)[places], place)
        if "garch" not in members:
            out["variance_garch"] = self._garch_forecast(panel, rows)
        return out

    def row_losses(self, examples: Examples, part: str) -> tuple[Float, Int64]:
        """Return QLIKE."""
        columns = self.forecast(examples.panel, [getattr(rows, part) for rows in examples.rows])
        rows, symbol = examples.global_rows(part)
        return qlike_rows(examples.targets[rows], columns["variance"]), symbol

    def to_arrays(self) -> Arrays:
        """Return the fitted state, member by member."""
        assert self._blend is not None
        out = prefixed("log_har_pooled", self._log_har_pooled.to_arrays()) | prefixed("ewma", self._ewma.to_arrays())
        out |= prefixed("log_har", self._log_har.to_arrays()) | prefixed("linear", self._linear_fleet.to_arrays())
        out |= prefixed("garch", self._garch.to_arrays()) | prefixed("scaler", self._scaler.to_arrays())
        out |= prefixed("blend", self._blend.to_arrays())
        if self._forest is not None:
            out |= prefixed("forest", self._forest.to_arrays())
        if self._weights is not None:
            out["weights"] = self._weights
        return out

    def _load(self, arrays: Mapping[str, npt.NDArray[Any]], rows: Int64) -> None:
        self._log_har_pooled = HarFleet.from_arrays(part_of(arrays, "log_har_pooled"))
        self._log_har = HarFleet.from_arrays(part_of(arrays, "log_har")).take(rows)
        self._linear_fleet = HarFleet.from_arrays(part_of(arrays, "linear")).take(rows)
        self._ewma = EwmaFleet.from_arrays(part_of(arrays, "ewma")).take(rows)
        self._garch = GarchFleet.from_arrays(part_of(arrays, "garch")).take(rows)
        self._scaler = FleetScaler.from_arrays(part_of(arrays, "scaler")).take(rows)
        self._blend = BlendFleet.from_arrays(part_of(arrays, "blend")).take(rows)
        forest, weights = part_of(arrays, "forest"), arrays.get("weights")
        self._forest = ForestFleet.from_arrays(forest) if forest else None
        if self._forest is not None and len(self._forest) > 1:
            self._forest = self._forest.take(rows)
        self._weights = weights if weights is None or len(weights) == 1 else weights[rows]

    def _members(self, panel: Panel, rows: Sequence[Int64]) -> dict[str, Float]:
        """Return each member's forecast for these rows, stacked symbol after symbol."""
        part, own = self.config.volatility, self._rows_of(panel)
        counts = [len(r) for r in rows]
        places, symbol = _places(panel, rows), np.repeat(own, counts)
        scaler = self._scaler.take(own)
        scaled = _scaled(panel, scaler)
        design = har_design(panel.variance, panel.offsets, MEMBER_LAGS, scaled[:, self._linear(panel)])[places]
        base = self._linear_fleet.forecast(design, symbol)
        out = {"log_har": base}
        if "garch" in part.members:
            out["garch"] = self._garch_forecast(panel, rows)
        if self._forest is not None:
            trees = symbol if len(self._forest) > 1 else np.zeros(len(symbol), np.int64)
            out["forest"] = self._forest.forecast(base, scaled[places], trees)
        if self._weights is not None:
            bank = scaled_bank(panel, scaler, self._all_columns(panel))
            weights = self._weights[own] if len(self._weights) > 1 else np.repeat(self._weights, len(own), 0)
            outputs = predict_fleet(self._network(panel), weights, bank, tuple(r.astype(np.int32) for r in rows))
            out["lstm"] = base * np.exp(np.concatenate(outputs)[:, 0].astype(np.float64))
        return out

    def _fit_garch(self, examples: Examples, train: npt.NDArray[np.bool_]) -> tuple[GarchFleet, dict[str, str]]:
        panel = examples.panel
        fleet, failed = fit_garch(panel.close, examples.targets, panel.offsets, train, self.config.volatility.horizon)
        return fleet, {panel.symbols[i]: reason for i, reason in failed.items()}

    def _garch_forecast(self, panel: Panel, rows: Sequence[Int64]) -> Float:
        garch = self._garch.take(self._rows_of(panel))
        place = np.repeat(np.arange(len(rows)), [len(r) for r in rows])
        inputs = garch.inputs(panel.close, panel.offsets)[_places(panel, rows)]
        return garch.forecast(inputs, place, self.config.volatility.horizon)

    def _fit_network(
        self, examples: Examples, base: Float, pooled: Mapping[str, npt.NDArray[Any]]
    ) -> npt.NDArray[np.float32]:
        """Return weights (S, P), or the pooled (1, P); a symbol whose fit diverges keeps no correction."""
        part, panel = self.config.volatility, examples.panel
        if part.strategy == "pooled":
            return np.asarray(pooled["weights"])
        network, plan = self._network(panel), self._plan()
        initial = network.initial_weights(panel.symbols, self.config.run.seed)
        if part.strategy == "finetuned":
            initial = np.repeat(pooled["weights"], len(panel.symbols), 0)
            plan = replace(plan, learning_rate=part.fit.finetune_learning_rate, shrinkage=part.fit.shrinkage)
        data = FleetData(
            panel.symbols,
            scaled_bank(panel, self._scaler, self._all_columns(panel)),
            padded_targets(examples, _log_columns(examples.targets, base)),
            tuple(rows.train.astype(np.int32) for rows in examples.rows),
            tuple(rows.valid.astype(np.int32) for rows in examples.rows),
        )
        return fit_fleet(network, qlike, data, plan, initial).weights

    def _drop_broken(self, table: Float, index: Int64, valid: npt.NDArray[np.bool_]) -> None:
        """Leave out symbols for which no member has a forecast on some validation row."""
        missing = valid & ~(np.isfinite(table) & (table > 0)).any(axis=1)
        broken = sorted({int(i) for i in index[missing]})
        if not broken:
            return
        for i in broken:
            self.failures[self.symbols[i]] = "no member has a forecast for some validation bars"
        arrays = self.to_arrays()
        kept = np.array([i for i in range(len(self.symbols)) if i not in broken], np.int64)
        self.symbols = tuple(self.symbols[i] for i in kept)
        self._load(arrays, kept)

    def _linear(self, panel: Panel) -> Int64:
        wanted = frozenset(LINEAR_FEATURES)
        return np.array(
            [i for i, name in enumerate(panel.feature_names) if name in wanted or name.startswith("context_")], np.int64
        )

    def _all_columns(self, panel: Panel) -> Int64:
        return np.tile(np.arange(len(panel.feature_names)), (len(panel.symbols), 1))

    def _network(self, panel: Panel) -> FleetNetwork:
        return FleetNetwork(self.config.volatility.network, len(panel.feature_names), 1)

    def _plan(self) -> FitPlan:
        return FitPlan.of(self.config.volatility.fit, self.config.run.seed)

    def _score(self, panel: Panel, rows: Sequence[Int64]) -> float:
        return float(np.log(self.forecast(panel, rows)["variance"][0]))


def _masks(examples: Examples) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return which rows of the panel train and which validate."""
    out = []
    for part in ("train", "valid"):
        mask = np.zeros(len(examples.targets), bool)
        mask[examples.global_rows(part)[0]] = True
        out.append(mask)
    return out[0], out[1]


def _train_features(examples: Examples) -> list[npt.NDArray[np.float32]]:
    panel = examples.panel
    return [panel.features[panel.rows(i)][rows.train] for i, rows in enumerate(examples.rows)]


def _scaled(panel: Panel, scaler: FleetScaler) -> npt.NDArray[np.float32]:
    out = np.empty_like(panel.features)
    for i in range(len(panel.symbols)):
        out[panel.rows(i)] = scaler.transform(panel.features[panel.rows(i)], i)
    return out


def _places(panel: Panel, rows: Sequence[Int64]) -> Int64:
    pieces = [panel.offsets[i] + part for i, part in enumerate(rows)]
    return np.concatenate(pieces).astype(np.int64) if pieces else np.zeros(0, np.int64)


def _log_columns(target: Float, base: Float) -> npt.NDArray[np.float32]:
    """Return ln y and ln base (rows, 2); rows without a target or forecast are 0 and never trained on."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(np.stack([target, base], axis=1))
    logs[~np.isfinite(logs).all(axis=1)] = 0.0
    return logs.astype(np.float32)
