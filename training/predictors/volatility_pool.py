"""Fits what all symbols of a volatility model share: all of it, or one member by itself."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import numpy as np

from configs.schema import Config
from training.data.arrays import Arrays, Float, Stored, part_of, prefixed
from training.data.design import Design
from training.data.examples import Examples, Int64
from training.models.trust import independent_rows
from training.models.volatility.combination import combine
from training.models.volatility.fleet_state import FleetState
from training.models.volatility.intervals import fit_pooled_intervals, prior_scale
from training.models.volatility.market_surprise import LEVEL, MarketFleet, fit_market
from training.models.volatility.member import FitData, Rows
from training.models.volatility.member_ensemble import VolatilityEnsemble
from training.models.volatility.members import alone, catalog, combined, fitted
from training.predictors.chunks import panel_chunks
from training.predictors.fleet import LAST_OUTCOMES
from training.predictors.volatility_shared import (
    PREFIX,
    LinearFit,
    SharedVolatility,
    fit_data,
    members_from_arrays,
    members_to_arrays,
    trust,
)

logger = logging.getLogger(__name__)

_BOUND_ROWS = 20_000  # train rows that show how far members correct the anchor


def fit_volatility_pool(
    examples: Examples, config: Config, window: int, tested: Stored | None, known: Mapping[str, FleetState]
) -> Arrays:
    """Fit what symbols share, the members' bounds on train rows, and the pooled interval on validation rows.

    ``tested`` are the arrays of an earlier fit, whose columns, ridge and epochs are used again. Members that are
    ``known`` are fitted already, by :func:`fit_member_alone`.
    """
    part, panel, horizon = config.volatility, examples.panel, config.volatility.horizon
    design, linear, market, members = _fit_shared_parts(examples, config, tested, known)
    ensemble = VolatilityEnsemble(config, design, linear.first, market, members)
    one = np.zeros(len(panel.symbols), np.int64)
    series = ensemble.series(panel, one)
    train_rows = sum(map(len, examples.part("train")))
    thinned, anchor, forecasts = _train_forecasts(ensemble, examples, series, window)
    combination = combine(combined(part), trust(examples, config), anchor, forecasts, alone(part))
    chunks = panel_chunks(panel, examples.part("valid"), one, series, window)
    variance = np.concatenate([ensemble.combine(*chunk, combination).variance for chunk in chunks])
    errors = np.log(examples.targets[examples.panel_rows(examples.part("valid"))[0]] / variance)
    train_errors = np.log(examples.targets[examples.panel_rows(thinned)[0]] / anchor)
    scale = prior_scale(train_errors, independent_rows(train_rows, len(examples.rows)) / horizon)
    independent = independent_rows(len(errors), len(examples.rows)) / horizon
    interval = fit_pooled_intervals(errors, independent, part.interval_level, scale)
    logger.info(
        "pooled volatility fit of %d symbols: ridge %g, members trusted by %.2f, market share %.2f, interval scale "
        "%.2f from %.0f independent validation errors",
        len(panel.symbols),
        *(float(value[0]) for value in (linear.ridge, combination.trust, market.share)),
        scale,
        independent,
    )
    shared = SharedVolatility(design, linear.linear, market, combination, interval, members)
    return shared.to_arrays() | linear.to_arrays() | {LAST_OUTCOMES: examples.last_outcomes(horizon)}


def _fit_shared_parts(
    examples: Examples, config: Config, tested: Stored | None, known: Mapping[str, FleetState]
) -> tuple[Design, LinearFit, MarketFleet, dict[str, FleetState]]:
    """Fit the design, the linear member, the market's surprise and every other member on these symbols together."""
    design, linear, data = _fit_linear(examples, config, tested)
    members = dict[str, FleetState]()
    for spec in fitted(config.volatility):
        if spec.fit_shared is not None:
            members[spec.name] = known[spec.name] if spec.name in known else spec.fit_shared(data)
    return design, linear, _fit_market(examples, design, config), members


def fit_member_alone(name: str, examples: Examples, config: Config, tested: Stored | None) -> Arrays:
    """Fit one member as :func:`fit_volatility_pool` does; return it with its design and linear fit.

    ``tested`` is what this function returned for an earlier fit.

    Raises
    ------
    ValueError
        The member has nothing that symbols share.
    """
    fit = catalog()[name].fit_shared
    if fit is None:
        raise ValueError(f"member {name!r} has no shared fit")
    design, linear, data = _fit_linear(examples, config, tested)
    arrays = prefixed("design", design.to_arrays()) | members_to_arrays({name: fit(data)})
    return prefixed(PREFIX, arrays) | linear.to_arrays()


def _train_forecasts(
    ensemble: VolatilityEnsemble, examples: Examples, series: Float, window: int
) -> tuple[list[Int64], Float, dict[str, Float]]:
    """Return train rows of each symbol, the anchor's variances (n,) of them, and those of every member."""
    train, one = examples.part("train"), np.zeros(len(examples.rows), np.int64)
    thinned = [rows[:: max(1, -(-sum(map(len, train)) // _BOUND_ROWS))] for rows in train]
    found = [ensemble.member_forecasts(*c) for c in panel_chunks(examples.panel, thinned, one, series, window)]
    anchor = np.concatenate([anchor for anchor, _ in found])
    return thinned, anchor, {name: np.concatenate([table[name] for _, table in found]) for name in found[0][1]}


def members_of_parts(parts: Sequence[Stored]) -> dict[str, FleetState]:
    """Return the members of several results of :func:`fit_member_alone` by name."""
    return {name: fleet for part in parts for name, fleet in members_from_arrays(part_of(part, PREFIX)).items()}


def _fit_linear(examples: Examples, config: Config, tested: Stored | None) -> tuple[Design, LinearFit, FitData]:
    """Return the design, the linear member, and what the other members are fitted on."""
    members, ridge, columns = None, None, None
    if tested is not None:
        own = part_of(tested, PREFIX)
        members, columns = members_from_arrays(own), Design.from_arrays(part_of(own, "design")).columns
        ridge = float(LinearFit.from_arrays(tested).ridge[0])
    design = Design.fit_pooled(examples, config, columns)
    panel_rows, _ = examples.panel_rows(examples.train_and_valid())
    newest = examples.panel.dates[panel_rows].max().astype("datetime64[ns]").view(np.int64)[None]
    rows = Rows.of(examples, design, newest)
    linear = LinearFit.fit(examples, rows, newest, config.volatility.horizon, ridge)
    return design, linear, fit_data(examples, config, design, rows, linear.first, members)


def _fit_market(examples: Examples, design: Design, config: Config) -> MarketFleet:
    panel, names = examples.panel, examples.panel.feature_names
    if LEVEL not in names or panel.universe is None or alone(config.volatility) is not None:
        return MarketFleet.none()
    panel_rows, _ = examples.panel_rows(examples.train_and_valid())
    columns, level = panel.market_columns(calendar=False), names.index(LEVEL)
    scaled = design.scaled(panel.features[panel_rows], columns)
    ahead = panel.features[panel_rows + config.volatility.horizon, level]
    return fit_market(columns, level, scaled, ahead, panel.dates[panel_rows], panel.universe.members)
