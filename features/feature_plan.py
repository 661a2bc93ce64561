"""Which feature columns a panel has, and which catalog entries compute them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from configs.data import FeatureConfig
from configs.errors import DataError
from features.bars.schema import SymbolBars
from features.catalog import choose_specs
from features.context import MarketContext
from features.indicators._spec import FeatureSpec
from features.inputs import Inputs, Layout
from features.universe import Float32, UniverseTable


@dataclass(frozen=True, slots=True)
class FeaturePlan:
    """The columns of a panel and how each is computed, the same for every symbol whatever its own data lack.

    ``steps`` pairs a catalog entry with, for each of its columns, the position in ``names`` or −1 if it is not wanted.
    ``warmup`` is the number of leading bars in which some column is not defined yet.
    """

    layout: Layout
    names: tuple[str, ...]
    steps: tuple[tuple[FeatureSpec, tuple[int, ...]], ...]
    universe: UniverseTable | None
    context: MarketContext | None

    @property
    def warmup(self) -> int:
        """The longest warm-up of the entries in use, at least the one bar that has no previous close."""
        lag = self.universe.lag if self.universe is not None else 0
        settled = (spec.warmup(self.layout) + lag * ("universe" in spec.needs) for spec, _ in self.steps)
        return max([1, *settled])

    def compute(self, bars: SymbolBars, out: Float32) -> None:
        """Write one symbol's features into ``out`` (N, F) float32, row-major; NaN where a feature is not defined."""
        inputs = Inputs(bars, self.layout, self.universe, self.context)
        columns = np.full((len(self.names), len(bars)), np.nan, np.float32)
        # Undefined values (0/0, log 0) are part of the contract of an entry and become NaN below, in one place.
        with np.errstate(all="ignore"):
            for spec, positions in self.steps:
                lacks = ("range" in spec.needs and not bars.has_range) or (
                    "volume" in spec.needs and not bars.has_volume
                )
                if lacks or not len(bars):
                    continue
                for position, values in zip(positions, spec.compute(inputs), strict=True):
                    if position >= 0:
                        columns[position] = values
        columns[~np.isfinite(columns)] = np.nan
        out[...] = columns.T


def universe_columns(config: FeatureConfig) -> frozenset[str]:
    """Return the names of all features that are relative to the universe."""
    layout = Layout(config.lookback_periods)
    return frozenset(name for spec in choose_specs(()) if "universe" in spec.needs for name in spec.columns(layout))


def market_columns(names: Sequence[str], config: FeatureConfig, *, calendar: bool) -> npt.NDArray[np.int64]:
    """Return the ascending positions in ``names`` of the features that are equal for all symbols on a day, int64 (k,).

    ``calendar`` includes those of the date itself, such as the weekday. Names that no family makes of bars and the
    universe are those of market series.
    """
    layout = Layout(config.lookback_periods)
    specs = choose_specs(())
    made = {name for spec in specs for name in spec.columns(layout)}
    layout = Layout(config.lookback_periods, tuple(name for name in names if name not in made))
    wanted = {n for spec in specs if calendar or spec.group != "calendar" for n in spec.market_wide(layout)}
    return np.flatnonzero([name in wanted for name in names])


def plan_features(
    config: FeatureConfig,
    *,
    universe: UniverseTable | None = None,
    context: MarketContext | None = None,
    has_range: bool = True,
    has_volume: bool = True,
    columns: Sequence[str] | None = None,
) -> FeaturePlan:
    """Return the plan for what the configuration asks and the data allow.

    Parameters
    ----------
    config
        ``technical_indicators`` names entries or groups; entries that need what is not given are left out.
    universe, context
        The whole universe's table and the market series; without them their groups are left out.
    has_range, has_volume
        Whether any symbol of the whole universe has highs and lows, or volume.
    columns
        Exactly these columns in this order, for instance a model's own; the two flags and the choice of
        ``technical_indicators`` are then ignored, so every block and every later day gets the same columns.

    Raises
    ------
    ConfigError
        ``technical_indicators`` holds an unknown name.
    DataError
        The data allow none of the features, a named entry needs what is not given, or ``columns`` holds a name that
        these periods, this universe and this context do not produce.
    """
    given = {"universe": universe is not None and not universe.is_empty, "context": context is not None}
    if columns is None:
        given |= {"range": has_range, "volume": has_volume}
    else:
        given |= {"range": True, "volume": True}
    if given["universe"] and universe is not None and universe.periods != config.lookback_periods:
        raise DataError(
            f"the universe table was built for lookback_periods {list(universe.periods)}, the features ask for "
            f"{list(config.lookback_periods)}. Build it again with this configuration."
        )
    layout = Layout(config.lookback_periods, context.columns if context is not None else ())
    wanted = () if columns is not None else config.technical_indicators
    specs = []
    for spec in choose_specs(wanted):
        lacking = sorted(need for need in spec.needs if not given[need])
        if lacking and spec.name in wanted:
            raise DataError(
                f"feature {spec.name!r} needs {' and '.join(lacking)}, which the data lack. Give it or drop it."
            )
        if not lacking:
            specs.append(spec)
    produced = [name for spec in specs for name in spec.columns(layout)]
    names = tuple(produced if columns is None else columns)
    unknown = [name for name in names if name not in set(produced)]
    if unknown:
        raise DataError(
            f"{len(unknown)} features cannot be made from these data, such as {unknown[0]!r}. Give what the "
            "model was trained with: market series (context=) for context features, else its universe and periods."
        )
    if not names:
        raise DataError("no feature can be made from these data. Widen features.technical_indicators.")
    position = {name: i for i, name in enumerate(names)}
    steps = []
    for spec in specs:
        places = tuple(position.get(name, -1) for name in spec.columns(layout))
        if any(place >= 0 for place in places):
            steps.append((spec, places))
    return FeaturePlan(layout, names, tuple(steps), universe if given["universe"] else None, context)
