"""What all symbols of a volatility model share, fitted once on a sample of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from configs.schema import Config
from features.feature_plan import market_columns
from features.panel import Panel
from training.data.arrays import Arrays, Float, Float32, part_of, prefixed
from training.data.buffers import POOLED, fleet_data
from training.data.design import Design
from training.data.examples import Examples, Int64, Part
from training.models.fleet.fit import FitPlan, fit_fleet
from training.models.trust import trusted_share
from training.models.volatility.anchor import anchor_inputs
from training.models.volatility.boosting import fit_boosting
from training.models.volatility.combination import TRUST_ROWS, Combination
from training.models.volatility.ewma import EwmaFleet, fit_pooled_ewma
from training.models.volatility.forest import fit_forest
from training.models.volatility.har import BASELINE_LAGS, HarFleet, har_design
from training.models.volatility.har import fit_pooled as fit_pooled_har
from training.models.volatility.intervals import IntervalFleet
from training.models.volatility.linear import (
    BLOCKS,
    LinearFleet,
    RegressionSums,
    choose_ridge,
    fit_pooled_linear,
    with_levels,
)
from training.models.volatility.market import LEVEL, MarketFleet, fit_market
from training.models.volatility.trees import TreeFleet
from training.predictors.volatility_network import (
    QLIKE_LOSS,
    log_columns,
    network_level,
    volatility_network,
)

_HALF_LIFE_DAYS = 8 * 365.25  # rows so old count half: markets change


PREFIX = "pooled"  # of the arrays' names; those of a block that are equal are stored once, in the pooled block


@dataclass(frozen=True, slots=True)
class SharedVolatility:
    """What forecasts of every symbol read of the pooled fit, and all that they read of a symbol that was not fitted.

    Fleets have one row. ``log_har`` and ``ewma`` are baselines, ``linear`` is the anchor and the linear member.
    ``forest`` corrects the linear member; ``boosting`` has two rows, one that corrects the linear member and one that
    forecasts log variance. ``weights`` (1, P) and ``level`` (1,) are the network's. A member that is not configured is
    None. ``combination`` and ``interval`` are fitted last.
    """

    design: Design
    log_har: HarFleet
    ewma: EwmaFleet
    linear: LinearFleet
    market: MarketFleet
    forest: TreeFleet | None
    boosting: TreeFleet | None
    weights: Float32 | None
    level: Float
    combination: Combination | None = None
    interval: IntervalFleet | None = None

    def to_arrays(self) -> Arrays:
        """Return plain arrays."""
        out: Arrays = {"level": self.level} if self.weights is None else {"level": self.level, "weights": self.weights}
        for name in _FLEETS:
            if (fleet := getattr(self, name)) is not None:
                out |= prefixed(name, fleet.to_arrays())
        return prefixed(PREFIX, out)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Invert :meth:`to_arrays`; other arrays are ignored."""
        own = part_of(arrays, PREFIX)
        parts = {name: part_of(own, name) for name in _FLEETS}
        found: dict[str, Any] = {n: one.from_arrays(parts[n]) if parts[n] else None for n, one in _FLEETS.items()}
        return cls(weights=own.get("weights"), level=own["level"], **found)


_FLEETS: dict[str, Any] = {
    "design": Design,
    "log_har": HarFleet,
    "ewma": EwmaFleet,
    "linear": LinearFleet,
    "market": MarketFleet,
    "forest": TreeFleet,
    "boosting": TreeFleet,
    "combination": Combination,
    "interval": IntervalFleet,
}


@dataclass(frozen=True, slots=True)
class VolatilityPool:
    """The pooled fit: ``shared``, and what only fits of single symbols read.

    ``first`` and ``first_sums`` are the linear member without the validation rows, for errors that it has not seen;
    ``sums`` are what ``shared.linear`` came from, so that each symbol's own fit can be shrunk to it. ``newest`` (1,) is
    the last day of the fit in ns, from which the age of rows is counted.
    """

    shared: SharedVolatility
    ridge: Float
    first: LinearFleet
    first_sums: RegressionSums
    sums: RegressionSums
    newest: npt.NDArray[np.int64]

    def to_arrays(self) -> Arrays:
        """Return plain arrays."""
        out: Arrays = {"ridge": self.ridge, "newest": self.newest} | prefixed("first", self.first.to_arrays())
        for name in ("first_sums", "sums"):
            sums = getattr(self, name)
            out |= prefixed(name, {one.name: getattr(sums, one.name) for one in fields(sums)})
        return out | self.shared.to_arrays()

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Invert :meth:`to_arrays`."""
        return cls(
            SharedVolatility.from_arrays(arrays),
            arrays["ridge"],
            LinearFleet.from_arrays(part_of(arrays, "first")),
            RegressionSums(**part_of(arrays, "first_sums")),
            RegressionSums(**part_of(arrays, "sums")),
            arrays["newest"],
        )


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a panel that a fit reads: their ``places`` (n,), ``symbol`` (n,) and what regressions need of them."""

    places: Int64
    symbol: Int64
    inputs: Float
    features: Float32
    target: Float
    weight: Float

    def take(self, chosen: npt.NDArray[Any]) -> Rows:
        """Return some of the rows."""
        return Rows(*(getattr(self, one.name)[chosen] for one in fields(self)))


def fit_rows(examples: Examples, design: Design, parts: tuple[Part, ...], newest: npt.NDArray[np.int64]) -> Rows:
    """Return the rows of these parts that have the anchor's inputs; those as old as the half-life count half."""
    panel = examples.panel
    own = [np.concatenate([getattr(rows, part) for part in parts]) for rows in examples.rows]
    places, symbol = examples.places(own)
    inputs = anchor_inputs(panel.variance, panel.close, panel.offsets)[places]
    known = np.isfinite(inputs).all(axis=1)
    places, symbol, inputs = places[known], symbol[known], inputs[known]
    features = design.transform(panel.features[places])
    return Rows(places, symbol, inputs, features, examples.targets[places], _recency(panel.dates[places], newest))


def fit_volatility_pool(examples: Examples, config: Config) -> VolatilityPool:
    """Fit what symbols share on train rows, but for what is refitted with the validation rows.

    That are the baselines and the linear member: an anchor that has not seen the last year lags behind the level. The
    combination and the intervals are still missing, see :meth:`.VolatilityPredictor.fit_pooled`.
    """
    part, panel, seed = config.volatility, examples.panel, config.run.seed
    design = Design.fit(examples, config)
    known = np.zeros(len(panel.dates), bool)
    known[examples.places(examples.train_and_valid())[0]] = True
    newest = panel.dates[known].max().astype("datetime64[ns]").view(np.int64)[None]
    every = fit_rows(examples, design, ("train", "valid"), newest)
    train = fit_rows(examples, design, ("train",), newest)
    lagged = har_design(panel.variance, panel.offsets, BASELINE_LAGS)
    log_har = fit_pooled_har(lagged, examples.targets, panel.offsets, known, BASELINE_LAGS)
    ewma = fit_pooled_ewma(panel.variance, examples.targets, panel.offsets, known)
    blocks, ridge = _sums_and_ridge(panel, train, part.horizon)
    first_sums, sums = blocks.pooled(), _sums(every)
    first, linear = _pooled_linear(train, first_sums, ridge), _pooled_linear(every, sums, ridge)
    forest = boosting = weights = None
    level = np.ones(1)
    one = np.zeros(len(train.places), np.int64)
    base = first.forecast(train.inputs, train.features, one)
    own = np.ascontiguousarray(train.features[:, design.own])
    if "forest" in part.members:
        forest = fit_forest(own, train.target, base, train.weight, part.forest, seed)
    if "boosting" in part.members:
        level_base = np.full(len(base), np.average(train.target, weights=train.weight))
        ratio = fit_boosting(own, train.target, base, train.weight, part.boosting, seed)
        plain = fit_boosting(own, train.target, level_base, train.weight, part.boosting, seed)
        plain = replace(plain, intercept=plain.intercept + np.log(level_base[0]))
        boosting = TreeFleet.concat([ratio, plain])
    if "lstm" in part.members:
        network = volatility_network(config, design.own_columns)
        logs = log_columns(examples.targets, pooled_base(examples, design, first, newest))
        data = fleet_data(
            examples, part.network.window, design.scaler, design.own_columns, logs, pooled_rows=part.fit.pooled_rows
        )
        plan = replace(FitPlan.of(part.fit, seed), epochs=part.fit.pooled_epochs, batch_size=part.fit.pooled_batch_size)
        weights = fit_fleet(network, QLIKE_LOSS, data, plan, network.initial_weights((POOLED,), seed)).weights
        level = network_level(network, weights, data)
    market = _fit_market(examples, design, config)
    shared = SharedVolatility(design, log_har, ewma, linear, market, forest, boosting, weights, level)
    return VolatilityPool(shared, np.array([ridge]), first, first_sums, sums, newest)


def pooled_base(examples: Examples, design: Design, linear: LinearFleet, newest: npt.NDArray[np.int64]) -> Float:
    """Return a pooled linear member's forecasts at train and validation rows of the panel, NaN elsewhere."""
    rows = fit_rows(examples, design, ("train", "valid"), newest)
    out = np.full(len(examples.targets), np.nan)
    out[rows.places] = linear.forecast(rows.inputs, rows.features, np.zeros(len(rows.places), np.int64))
    return out


def trust(examples: Examples, config: Config) -> float:
    """Return how far members are trusted that were fitted on these examples, by their train and validation rows."""
    rows = float(np.mean([len(rows.train) + len(rows.valid) for rows in examples.rows]))
    symbols = 1 if config.volatility.strategy == "per_symbol" else len(examples.rows)
    return trusted_share(rows * symbols, symbols, TRUST_ROWS)


def _sums_and_ridge(panel: Panel, rows: Rows, horizon: int) -> tuple[RegressionSums, float]:
    """Return the sums of train rows by block of time, and the ridge that their cross-validation chooses.

    Rows whose target reaches into the next block belong to no block of the choice.
    """
    days, place = np.unique(panel.dates[rows.places], return_inverse=True)
    block = np.minimum(place * BLOCKS // len(days), BLOCKS - 1)
    sums = RegressionSums.of(rows.inputs, rows.features, rows.target, rows.weight, block, BLOCKS)
    last = np.array([place[block == number].max(initial=-1) for number in range(BLOCKS)])
    reaching = (place > last[block] - horizon) & (block < BLOCKS - 1)
    cut = rows.take(reaching)
    purged = RegressionSums.of(cut.inputs, cut.features, cut.target, cut.weight, block[reaching], BLOCKS)
    inside = RegressionSums(sums.xx - purged.xx, sums.xy - purged.xy, sums.yy - purged.yy, sums.count - purged.count)
    return sums, choose_ridge(inside)


def _sums(rows: Rows) -> RegressionSums:
    zeros = np.zeros(len(rows.places), np.int64)
    return RegressionSums.of(rows.inputs, rows.features, rows.target, rows.weight, zeros, 1)


def _pooled_linear(rows: Rows, sums: RegressionSums, ridge: float) -> LinearFleet:
    zeros = np.zeros(len(rows.places), np.int64)
    return with_levels(fit_pooled_linear(sums, ridge), rows.inputs, rows.features, rows.target, rows.weight, zeros)


def _fit_market(examples: Examples, design: Design, config: Config) -> MarketFleet:
    panel = examples.panel
    names = panel.feature_names
    if LEVEL not in names or panel.universe is None:
        return MarketFleet.none()
    places, _ = examples.places(examples.train_and_valid())
    columns, level = market_columns(names, config.features, calendar=False), names.index(LEVEL)
    scaled = design.scaled(panel.features[places], columns)
    ahead = panel.features[places + config.volatility.horizon, level]
    return fit_market(columns, level, scaled, ahead, panel.dates[places], panel.universe.members)


def _recency(dates: npt.NDArray[np.datetime64], newest: npt.NDArray[np.int64]) -> Float:
    """Return each row's weight (n,), 1 on the newest day."""
    age_days = (newest[0] - dates.astype("datetime64[ns]").view(np.int64)) / 86_400e9
    return np.asarray(0.5 ** (age_days / _HALF_LIFE_DAYS), np.float64)
