"""What all symbols of a volatility model share, fitted once on a sample of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from configs.schema import Config
from training.data.arrays import Arrays, Float, part_of, prefixed
from training.data.design import Design
from training.data.examples import Examples, Int64
from training.models.trust import trusted_share
from training.models.volatility.combination import TRUST_ROWS, Combination
from training.models.volatility.fleet_state import FleetState
from training.models.volatility.intervals import IntervalFleet
from training.models.volatility.market_surprise import MarketFleet
from training.models.volatility.member import FitData, Rows
from training.models.volatility.members import catalog, fitted
from training.models.volatility.regression import (
    BLOCKS,
    LinearFleet,
    RegressionSums,
    choose_ridge,
    fit_own_linear,
    fit_pooled_linear,
    with_levels,
)

PREFIX = "pooled"  # of the arrays' names; those of a block that are equal are stored once, in the pooled block
_PARTS: dict[str, Any] = {
    "design": Design,
    "linear": LinearFleet,
    "market": MarketFleet,
    "combination": Combination,
    "interval": IntervalFleet,
}


@dataclass(frozen=True, slots=True)
class SharedVolatility:
    """What forecasts of every symbol read of the pooled fit, and all that they read of a symbol that was not fitted.

    Fleets have one row. ``linear`` is the anchor and the linear member, ``members`` every other member and baseline.
    """

    design: Design
    linear: LinearFleet
    market: MarketFleet
    combination: Combination
    interval: IntervalFleet
    members: Mapping[str, FleetState]

    def to_arrays(self) -> Arrays:
        """Return plain arrays."""
        out: Arrays = {}
        for name in _PARTS:
            out |= prefixed(name, getattr(self, name).to_arrays())
        return prefixed(PREFIX, out | members_to_arrays(self.members))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Invert :meth:`to_arrays`; other arrays are ignored."""
        own = part_of(arrays, PREFIX)
        parts = {name: part.from_arrays(part_of(own, name)) for name, part in _PARTS.items()}
        return cls(members=members_from_arrays(own), **parts)


def members_to_arrays(members: Mapping[str, FleetState]) -> Arrays:
    """Return the arrays of members, each under ``member/NAME/``."""
    out: Arrays = {}
    for name, fleet in members.items():
        out |= prefixed(f"member/{name}", fleet.to_arrays())
    return out


def members_from_arrays(arrays: Mapping[str, npt.NDArray[Any]]) -> dict[str, FleetState]:
    """Invert :func:`members_to_arrays`; other arrays are ignored."""
    parts = part_of(arrays, "member")
    found = {}
    for name, spec in catalog().items():
        if spec.state is not None and (own := part_of(parts, name)):
            found[name] = spec.state.from_arrays(own)
    return found


@dataclass(frozen=True, slots=True)
class LinearFit:
    """The linear member's pooled fits, and what each symbol's own fit is shrunk with.

    ``first`` and ``first_sums`` come from train rows, for forecasts of validation rows that it has not seen; ``linear``
    and ``sums`` from validation rows as well: an anchor that has not seen the last year lags behind the level.
    ``newest`` (1,) is the last day of the fit in ns, from which the age of rows is counted.
    """

    ridge: Float
    first: LinearFleet
    first_sums: RegressionSums
    linear: LinearFleet
    sums: RegressionSums
    newest: Int64

    def to_arrays(self) -> Arrays:
        """Return plain arrays."""
        out: Arrays = {"ridge": self.ridge, "newest": self.newest}
        out |= prefixed("first", self.first.to_arrays()) | prefixed("linear", self.linear.to_arrays())
        for name in ("first_sums", "sums"):
            sums = getattr(self, name)
            out |= prefixed(name, {one.name: getattr(sums, one.name) for one in fields(sums)})
        return prefixed("linear_fit", out)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Invert :meth:`to_arrays`; other arrays are ignored."""
        own = part_of(arrays, "linear_fit")
        return cls(
            own["ridge"],
            LinearFleet.from_arrays(part_of(own, "first")),
            RegressionSums(**part_of(own, "first_sums")),
            LinearFleet.from_arrays(part_of(own, "linear")),
            RegressionSums(**part_of(own, "sums")),
            own["newest"],
        )

    @classmethod
    def fit(cls, examples: Examples, rows: Rows, newest: Int64, horizon: int, ridge: float | None = None) -> Self:
        """Fit both, with a ridge that is chosen on blocks of train rows unless it is given."""
        train = rows.train
        blocks, chosen = _sums_and_ridge(examples, train, horizon)
        ridge = chosen if ridge is None else ridge
        first_sums, sums = blocks.pooled(), _sums(rows, np.zeros(len(rows.panel_rows), np.int64), 1)
        first, linear = _pooled_linear(train, first_sums, ridge), _pooled_linear(rows, sums, ridge)
        return cls(np.array([ridge]), first, first_sums, linear, sums, newest)


def fit_data(
    examples: Examples,
    config: Config,
    design: Design,
    rows: Rows,
    linear: LinearFleet,
    tested: Mapping[str, FleetState] | None = None,
) -> FitData:
    """Return what members are fitted on: they correct the forecasts of this pooled linear fit.

    ``tested`` are the members of an earlier fit, whose choices are repeated.
    """
    known = np.zeros(len(examples.targets), bool)
    known[examples.panel_rows(examples.train_and_valid())[0]] = True
    base = np.full(len(examples.targets), np.nan)
    base[rows.panel_rows] = linear.forecast(rows.inputs, rows.features, np.zeros(len(rows.panel_rows), np.int64))
    train = rows.train
    return FitData(examples, config, design, known, train, base[train.panel_rows], base, tested or {})


def fit_own_members(data: FitData, shared: Mapping[str, FleetState]) -> dict[str, FleetState]:
    """Fit the members that have a fit of each symbol, shrunk to the one that all symbols share."""
    own = dict[str, FleetState]()
    for spec in fitted(data.config.volatility):
        if spec.fit_own and (fleet := spec.fit_own(data, shared[spec.name])) is not None:
            own[spec.name] = fleet
    return own


def fit_own_linear_rows(examples: Examples, rows: Rows, fit: LinearFit, *, with_valid: bool) -> LinearFleet:
    """Fit each symbol's anchor and linear member, shrunk to the pooled fit of the same rows: train, or also valid."""
    shared, pooled = (fit.linear, fit.sums) if with_valid else (fit.first, fit.first_sums)
    chosen = rows if with_valid else rows.train
    fleet = fit_own_linear(_sums(chosen, chosen.symbol, len(examples.rows)), shared, pooled, float(fit.ridge[0]))
    return with_levels(fleet, chosen.inputs, chosen.features, chosen.target, chosen.weight, chosen.symbol, shared)


def trust(examples: Examples, config: Config) -> float:
    """Return how far members are trusted that were fitted on these examples, by their train and validation rows."""
    rows = float(np.mean([len(rows.train) + len(rows.valid) for rows in examples.rows]))
    symbols = 1 if config.volatility.strategy == "per_symbol" else len(examples.rows)
    return trusted_share(rows * symbols, symbols, TRUST_ROWS)


def _sums_and_ridge(examples: Examples, rows: Rows, horizon: int) -> tuple[RegressionSums, float]:
    """Return the sums of train rows by block of time, and the ridge that their cross-validation chooses.

    Rows whose target reaches into the next block belong to no block of the choice.
    """
    days, position = np.unique(examples.panel.dates[rows.panel_rows], return_inverse=True)
    block = np.minimum(position * BLOCKS // len(days), BLOCKS - 1)
    sums = _sums(rows, block, BLOCKS)
    last = np.array([position[block == number].max(initial=-1) for number in range(BLOCKS)])
    reaching = (position > last[block] - horizon) & (block < BLOCKS - 1)
    purged = _sums(rows.take(reaching), block[reaching], BLOCKS)
    inside = RegressionSums(sums.xx - purged.xx, sums.xy - purged.xy, sums.yy - purged.yy, sums.count - purged.count)
    return sums, choose_ridge(inside)


def _sums(rows: Rows, group: Int64, groups: int) -> RegressionSums:
    return RegressionSums.of(rows.inputs, rows.features, rows.target, rows.weight, group, groups)


def _pooled_linear(rows: Rows, sums: RegressionSums, ridge: float) -> LinearFleet:
    zeros = np.zeros(len(rows.panel_rows), np.int64)
    return with_levels(fit_pooled_linear(sums, ridge), rows.inputs, rows.features, rows.target, rows.weight, zeros)
