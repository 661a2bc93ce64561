"""What all symbols of a volatility model share, fitted once on a sample of them: log-HARs, forest, network, blend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from configs.schema import Config
from features.panel import Panel
from features.scaling import FleetScaler
from training.examples import Examples, Int64
from training.fleet.fit import FitPlan, fit_fleet
from training.predictors.banks import POOLED, fleet_data
from training.predictors.columns import choose_columns, own_columns
from training.predictors.state import Arrays, Float, Float32, part_of, prefixed
from training.predictors.volatility_network import (
    QLIKE_LOSS,
    log_columns,
    network_corrections,
    network_level,
)
from training.predictors.volatility_network import volatility_network as make_network
from training.volatility.blend import BlendFleet, Prior, fit_pooled_blend
from training.volatility.forest import ForestFleet, fit_forest, sample_rows
from training.volatility.garch import fit_garch
from training.volatility.har import BASELINE_LAGS, MEMBER_LAGS, GramAccumulator, HarFleet, har_design, solve_har
from training.volatility.har import fit_pooled as fit_pooled_har
from training.volatility.level import RatioSums
from training.volatility.state import symbol_index


@dataclass(frozen=True, slots=True)
class VolatilityPool:
    """``log_har`` is the plain baseline, ``linear`` the member on all features, each with one row for all symbols.

    ``columns`` (1, k) are the features in use. ``grams`` are the sums that ``linear`` came from, so that each symbol's
    own fit can be shrunk to it. ``weights`` (1, P) and ``level`` (1,) are the network's; a member that is not asked for
    is ``None``.
    """

    scaler: FleetScaler
    columns: Int64
    log_har: HarFleet
    linear: HarFleet
    grams: GramAccumulator
    forest: ForestFleet | None
    weights: Float32 | None
    level: Float
    blend: BlendFleet

    def to_arrays(self) -> Arrays:
        """Return plain arrays."""
        out = prefixed("scaler", self.scaler.to_arrays()) | prefixed("log_har", self.log_har.to_arrays())
        out |= prefixed("linear", self.linear.to_arrays()) | prefixed("blend", self.blend.to_arrays())
        out |= {
            "columns": self.columns,
            "grams/xx": self.grams.xx,
            "grams/xy": self.grams.xy,
            "grams/count": self.grams.count,
        }
        if self.forest is not None:
            out |= prefixed("forest", self.forest.to_arrays())
        if self.weights is not None:
            out |= {"weights": self.weights, "level": self.level}
        return out

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Invert :meth:`to_arrays`."""
        forest = part_of(arrays, "forest")
        return cls(
            FleetScaler.from_arrays(part_of(arrays, "scaler")),
            arrays["columns"],
            HarFleet.from_arrays(part_of(arrays, "log_har")),
            HarFleet.from_arrays(part_of(arrays, "linear")),
            GramAccumulator(arrays["grams/xx"], arrays["grams/xy"], arrays["grams/count"]),
            ForestFleet.from_arrays(forest) if forest else None,
            arrays.get("weights"),
            arrays.get("level", np.ones(1)),
            BlendFleet.from_arrays(part_of(arrays, "blend")),
        )


def fit_volatility_pool(examples: Examples, config: Config) -> VolatilityPool:
    """Fit all that symbols share: on train rows, and the blend's weights on validation rows."""
    part, panel, seed = config.volatility, examples.panel, config.run.seed
    target, offsets = examples.targets, panel.offsets
    train, _ = examples.places(examples.part("train"))
    valid, _ = examples.places(examples.part("valid"))
    is_train, is_valid = _mask(train, len(target)), _mask(valid, len(target))
    lagged = har_design(panel.variance, offsets, BASELINE_LAGS)
    log_har = fit_pooled_har(lagged, target, offsets, is_train, BASELINE_LAGS)
    scaler = FleetScaler.fit(examples.train_features(), config.features, pooled=True)
    columns = choose_columns(examples, config, pooled=True)
    own = own_columns(panel.feature_names, columns)
    grams = linear_grams(examples, scaler, columns).pooled()
    linear = solve_har(grams, MEMBER_LAGS)
    shared = np.zeros(len(examples.rows), np.int64)
    raw = linear_forecast(panel, examples.part("train"), scaler, columns, linear, shared)
    sums = RatioSums.of(target[train], raw, np.zeros(len(train), np.int64), np.ones(len(train), bool), 1)
    linear = replace(linear, level=sums.level())
    base = np.full(len(target), np.nan)
    base[train] = raw * linear.level[0]
    base[valid] = linear_forecast(panel, examples.part("valid"), scaler, columns, linear, shared)
    forecasts = {"log_har": base[valid]}
    if "garch" in part.members:
        garch, _ = fit_garch(panel.close, target, offsets, is_train, part.horizon)
        index = symbol_index(offsets)
        forecasts["garch"] = garch.forecast(garch.inputs(panel.close, offsets), index, part.horizon)[valid]
    forest = weights = None
    level = np.ones(1)
    if "forest" in part.members:
        known = train[np.isfinite(base[train])]
        forest = fit_trees(panel, known, base, target, scaler, own, config)
        x = scaler.transform(panel.features[valid])[:, own[0]]
        forecasts["forest"] = forest.forecast(base[valid], x, np.zeros(len(valid), np.int64))
    if "lstm" in part.members:
        network, logs = make_network(config, own), log_columns(target, base)
        data = fleet_data(examples, part.network.window, scaler, own, logs, pooled_rows=part.fit.pooled_rows)
        plan = replace(FitPlan.of(part.fit, seed), epochs=part.fit.pooled_epochs, batch_size=part.fit.pooled_batch_size)
        weights = fit_fleet(network, QLIKE_LOSS, data, plan, network.initial_weights((POOLED,), seed)).weights
        level = network_level(network, weights, data)
        forecasts["lstm"] = level[0] * base[valid] * network_corrections(network, weights, data.bank, data.valid)
    table = np.full((len(target), len(part.members)), np.nan)
    table[valid] = np.stack([forecasts[name] for name in part.members], axis=1)
    prior = Prior.of(part.members, panel.dates[valid])
    blend = fit_pooled_blend(table, target, is_valid, part.horizon, part.interval_level, prior=prior)
    return VolatilityPool(scaler, columns, log_har, linear, grams, forest, weights, level, blend)


def fit_trees(
    panel: Panel, rows: Int64, base: Float, target: Float, scaler: FleetScaler, own: Int64, config: Config
) -> ForestFleet:
    """Fit one forest on what ``base`` (rows of the panel,) leaves of the target, on a sample of these train rows.

    ``own`` (1, k) leaves market-wide columns out: with them trees recognise single days of the training period.
    """
    forest, seed = config.volatility.forest, config.run.seed
    rows = rows[sample_rows(len(rows), forest.max_rows, seed)]
    x = scaler.transform(panel.features[rows])[:, own[0]]
    return fit_forest(x, target[rows], base[rows], forest, seed)


def linear_grams(examples: Examples, scaler: FleetScaler, columns: Int64) -> GramAccumulator:
    """Return each symbol's sums over its train rows; designs are made one symbol at a time."""
    parts = []
    for i, rows in enumerate(examples.rows):
        x = linear_design(examples.panel, i, rows.train, scaler, columns)
        target = examples.targets[examples.panel.rows(i)][rows.train]
        parts.append(GramAccumulator.of(x, target, np.array([0, len(x)]), np.ones(len(x), bool)))
    return GramAccumulator(
        np.concatenate([part.xx for part in parts]),
        np.concatenate([part.xy for part in parts]),
        np.concatenate([part.count for part in parts]),
    )


def linear_design(panel: Panel, symbol: int, rows: Int64, scaler: FleetScaler, columns: Int64) -> Float:
    """Return one symbol's regressors (n, 1 + L + k) of these rows: one, log mean variances, scaled features."""
    part = panel.rows(symbol)
    variance = panel.variance[part]
    lags = har_design(variance, np.array([0, len(variance)]), MEMBER_LAGS)[rows]
    scaled = scaler.transform(panel.features[part][rows])
    return np.concatenate([lags, scaled if columns.shape[1] == scaled.shape[1] else scaled[:, columns[0]]], axis=1)


def linear_forecast(
    panel: Panel, rows: Sequence[Int64], scaler: FleetScaler, columns: Int64, fleet: HarFleet, index: Int64
) -> Float:
    """Return forecasts of rows of each symbol, stacked; symbol i uses row ``index[i]`` of the fleet."""
    parts = [
        fleet.forecast(linear_design(panel, i, own, scaler, columns), np.full(len(own), index[i]))
        for i, own in enumerate(rows)
    ]
    return np.concatenate(parts) if parts else np.zeros(0)


def _mask(rows: Int64, length: int) -> npt.NDArray[np.bool_]:
    out = np.zeros(length, bool)
    out[rows] = True
    return out
