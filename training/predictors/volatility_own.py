"""The parts of a volatility model that are fitted per symbol: regressions and networks, shrunk to the pooled fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from configs.schema import Config
from training.data.arrays import Float, Float32
from training.data.buffers import fleet_data
from training.data.examples import Examples, Part
from training.models.fleet.fit import FitPlan, fit_fleet
from training.models.volatility.forest import fit_forest
from training.models.volatility.linear import LinearFleet, RegressionSums, fit_own_linear, with_levels
from training.models.volatility.trees import TreeFleet
from training.predictors.volatility_network import (
    QLIKE_LOSS,
    log_columns,
    network_level,
    volatility_network,
)
from training.predictors.volatility_pool import VolatilityPool, fit_rows, pooled_base


def fit_own_regression(examples: Examples, pool: VolatilityPool, parts: tuple[Part, ...]) -> LinearFleet:
    """Fit each symbol's anchor and linear member on the rows of these parts, shrunk to the pooled fit of the same."""
    shared, sums = (pool.first, pool.first_sums) if parts == ("train",) else (pool.shared.linear, pool.sums)
    rows, count = fit_rows(examples, pool.shared.design, parts, pool.newest), len(examples.rows)
    own = RegressionSums.of(rows.inputs, rows.features, rows.target, rows.weight, rows.symbol, count)
    fleet = fit_own_linear(own, shared, sums, float(pool.ridge[0]))
    return with_levels(fleet, rows.inputs, rows.features, rows.target, rows.weight, rows.symbol, shared)


def fit_own_network(examples: Examples, pool: VolatilityPool, config: Config) -> tuple[Float32, Float]:
    """Fit each symbol's network and its level; one that cannot be fitted keeps its initial weights."""
    part, seed, symbols = config.volatility, config.run.seed, examples.panel.symbols
    columns = pool.shared.design.own_columns
    network, plan = volatility_network(config, columns), FitPlan.of(part.fit, seed)
    initial = network.initial_weights(symbols, seed)
    if part.strategy == "finetuned":
        assert pool.shared.weights is not None
        initial = np.repeat(pool.shared.weights, len(symbols), axis=0)
        plan = replace(plan, learning_rate=part.fit.finetune_learning_rate, shrinkage=part.fit.shrinkage)
    logs = log_columns(examples.targets, pooled_base(examples, pool.shared.design, pool.first, pool.newest))
    data = fleet_data(examples, part.network.window, pool.shared.design.scaler, columns, logs)
    weights = fit_fleet(network, QLIKE_LOSS, data, plan, initial).weights
    return weights, network_level(network, weights, data)


def fit_own_forests(examples: Examples, pool: VolatilityPool, config: Config) -> TreeFleet:
    """Grow a forest for each symbol; one without a usable train row gets the pooled one."""
    assert pool.shared.forest is not None
    rows, fleets = fit_rows(examples, pool.shared.design, ("train",), pool.newest), list[TreeFleet]()
    base = pool.first.forecast(rows.inputs, rows.features, np.zeros(len(rows.places), np.int64))
    own, part = np.ascontiguousarray(rows.features[:, pool.shared.design.own]), config.volatility.forest
    for i in range(len(examples.rows)):
        mine = np.flatnonzero(rows.symbol == i)
        if not len(mine):
            fleets.append(pool.shared.forest)
            continue
        target, weight = rows.target[mine], rows.weight[mine]
        fleets.append(fit_forest(own[mine], target, base[mine], weight, part, config.run.seed))
    return TreeFleet.concat(fleets)
