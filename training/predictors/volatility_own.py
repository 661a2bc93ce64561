"""What each symbol of a volatility model has of its own: members fitted on its rows, shrunk to what all share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from configs.schema import Config
from training.examples import Examples
from training.fleet.fit import FitPlan, fit_fleet
from training.predictors.banks import fleet_data
from training.predictors.columns import own_columns
from training.predictors.state import Float, Float32
from training.predictors.volatility_network import (
    QLIKE_LOSS,
    log_columns,
    network_level,
    volatility_network,
)
from training.predictors.volatility_pool import VolatilityPool, fit_trees, linear_forecast, linear_grams
from training.volatility.forest import ForestFleet
from training.volatility.har import LEVEL_SHRINKAGE, MEMBER_LAGS, SHRINKAGE, HarFleet, solve_har
from training.volatility.level import RatioSums


def fit_own_linear(examples: Examples, pool: VolatilityPool) -> HarFleet:
    """Fit each symbol's coefficients and level, shrunk to the pooled fit."""
    count = len(examples.rows)
    grams = linear_grams(examples, pool.scaler, pool.columns)
    fleet = solve_har(grams, MEMBER_LAGS, pool=(pool.linear, pool.grams), shrinkage=SHRINKAGE)
    train, symbol = examples.places(examples.part("train"))
    raw = linear_forecast(examples.panel, examples.part("train"), pool.scaler, pool.columns, fleet, np.arange(count))
    sums = RatioSums.of(examples.targets[train], raw, symbol, np.ones(len(train), bool), count)
    return replace(fleet, level=sums.level(float(pool.linear.level[0]), LEVEL_SHRINKAGE))


def own_base(examples: Examples, pool: VolatilityPool, linear: HarFleet) -> Float:
    """Return the linear member's forecasts at train and validation rows of the panel, NaN elsewhere."""
    rows = examples.train_and_valid()
    places, _ = examples.places(rows)
    out = np.full(len(examples.targets), np.nan)
    out[places] = linear_forecast(examples.panel, rows, pool.scaler, pool.columns, linear, np.arange(len(rows)))
    return out


def fit_own_network(examples: Examples, pool: VolatilityPool, base: Float, config: Config) -> tuple[Float32, Float]:
    """Fit each symbol's network and its level; one that cannot be fitted keeps its initial weights."""
    part, seed, symbols = config.volatility, config.run.seed, examples.panel.symbols
    columns = own_columns(examples.panel.feature_names, pool.columns)
    network, plan = volatility_network(config, columns), FitPlan.of(part.fit, seed)
    initial = network.initial_weights(symbols, seed)
    if part.strategy == "finetuned":
        assert pool.weights is not None
        initial = np.repeat(pool.weights, len(symbols), axis=0)
        plan = replace(plan, learning_rate=part.fit.finetune_learning_rate, shrinkage=part.fit.shrinkage)
    data = fleet_data(examples, part.network.window, pool.scaler, columns, log_columns(examples.targets, base))
    weights = fit_fleet(network, QLIKE_LOSS, data, plan, initial).weights
    return weights, network_level(network, weights, data)


def fit_own_forests(examples: Examples, pool: VolatilityPool, base: Float, config: Config) -> ForestFleet:
    """Grow a forest for each symbol; one without a usable train row gets the pooled one."""
    assert pool.forest is not None
    fleets, columns = [], own_columns(examples.panel.feature_names, pool.columns)
    for i, rows in enumerate(examples.rows):
        places = rows.train + examples.panel.offsets[i]
        places = places[np.isfinite(base[places])]
        fleets.append(
            fit_trees(examples.panel, places, base, examples.targets, pool.scaler, columns, config)
            if len(places)
            else pool.forest
        )
    return ForestFleet.concat(fleets)
