"""The feature columns of a panel, and the families of the catalog that compute them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from configs.data import FeatureConfig
from configs.errors import DataError
from configs.feature_groups import ALTERNATIVE_GROUPS, FeatureGroup, group_of_column
from features.bars.schema import SymbolBars
from features.catalog import all_specs, choose_features
from features.context import MarketContext
from features.indicators._spec import FeatureSpec
from features.inputs import Inputs, Layout
from features.joined_inputs import JoinedInputs
from features.universe import Float32, UniverseTable

_BLOCK = 16  # columns at a time, so that what is written stays in the cache


@dataclass(frozen=True, slots=True)
class FeaturePlan:
    """The columns of a panel and the families that compute them, the same for every symbol.

    ``steps`` pairs a family with the position of each of its columns in ``names``, −1 for unused ones. ``warmup`` is
    the number of leading bars in which some column is not defined yet: the longest warm-up of the families, at least 1,
    because the first bar has no previous close.
    """

    layout: Layout
    names: tuple[str, ...]
    steps: tuple[tuple[FeatureSpec, tuple[int, ...]], ...]
    universe: UniverseTable | None
    context: MarketContext | None
    warmup: int

    @property
    def market_wide(self) -> dict[str, FeatureGroup]:
        """The features that are equal for all symbols with the same trading days, and their groups."""
        names = set(self.names)
        return {name: spec.group for spec, _ in self.steps for name in spec.market_wide(self.layout) if name in names}

    def compute(self, bars: SymbolBars, out: Float32) -> None:
        """Write one symbol's features to ``out`` (N, F) float32, row-major; NaN where a feature is not defined."""
        self._fill([Inputs(bars, self.layout, self.universe, self.context)], None, out[None])

    def compute_newest(self, inputs: Sequence[Inputs], out: Float32) -> None:
        """Write the newest rows of :meth:`compute` of S symbols to ``out`` (S, n, F), NaN before a symbol's first.

        The numbers are the same, from fewer operations: families with windows take one pass over the newest bars of all
        symbols that have enough of them.
        """
        rows = out.shape[1]
        long = dict[tuple[bool, bool], list[int]]()
        for i, one in enumerate(inputs):
            if len(one.bars) >= rows + self.warmup:
                long.setdefault((one.bars.has_range, one.bars.has_volume), []).append(i)
                continue
            own = min(rows, len(one.bars))
            out[i, : rows - own] = np.nan
            self._fill([one], None, out[i : i + 1, rows - own :])
        for chosen in long.values():
            parts = [inputs[i] for i in chosen]
            found = np.empty((len(parts), *out.shape[1:]), np.float32)
            self._fill(parts, JoinedInputs(parts, rows + self.warmup), found)
            out[chosen] = found

    def _fill(self, parts: Sequence[Inputs], joined: JoinedInputs | None, out: Float32) -> None:
        """Write the newest rows of S symbols that lack the same to ``out`` (S, n, F), windowed ones from ``joined``."""
        rows, bars = out.shape[1], parts[0].bars
        columns = np.full((len(self.names), len(parts), rows), np.nan, np.float32)
        # Families may return undefined values (0/0, log 0): they become NaN below, in one place.
        with np.errstate(all="ignore"):
            for spec, positions in self.steps:
                lacks_range = "range" in spec.needs and not bars.has_range
                lacks_volume = "volume" in spec.needs and not bars.has_volume
                if lacks_range or lacks_volume or not rows:
                    continue
                together = [joined] if joined is not None and spec.is_windowed else None
                for s, inputs in enumerate(together or parts):
                    own = columns if together else columns[:, s : s + 1]
                    for position, values in zip(positions, spec.compute(inputs), strict=True):
                        if position >= 0:
                            own[position] = values.reshape(len(own[position]), -1)[:, -rows:]
        for start in range(0, len(columns), _BLOCK):
            block = columns[start : start + _BLOCK]
            block[~np.isfinite(block)] = np.nan
        out[...] = columns.transpose(1, 2, 0)


def universe_columns(config: FeatureConfig) -> frozenset[str]:
    """Return the names of all features that are relative to the universe."""
    layout = Layout(config.lookback_periods)
    return frozenset(name for spec in all_specs() if "universe" in spec.needs for name in spec.columns(layout))


def series_columns(names: Sequence[str], config: FeatureConfig) -> npt.NDArray[np.int64]:
    """Return the positions (k,) in ``names`` of features of market series: no family makes them of bars or universe."""
    layout = Layout(config.lookback_periods)
    produced = {name for spec in all_specs() for name in spec.columns(layout)}
    return np.flatnonzero([name not in produced for name in names])


def plan_features(
    config: FeatureConfig,
    *,
    universe: UniverseTable | None = None,
    context: MarketContext | None = None,
    has_range: bool = True,
    has_volume: bool = True,
    columns: Sequence[str] | None = None,
) -> FeaturePlan:
    """Return the plan of the configured features that the data allow.

    Parameters
    ----------
    config
        ``technical_indicators`` names families or groups. A group's families that need missing data are omitted.
    universe, context
        The table of the universe and the market series, without which the features that need them are omitted.
    has_range, has_volume
        Whether any symbol of the universe has highs and lows, or volume.
    columns
        Use exactly these columns in this order (a model's, or those of all blocks of a run) and ignore the two flags
        and ``technical_indicators``.

    Raises
    ------
    ConfigError
        ``technical_indicators`` has an unknown name.
    DataError
        No feature can be computed, a named family needs missing data, or ``columns`` has a name that these periods,
        this universe and this context do not produce.
    """
    fixed = columns is not None
    known = context.all_columns if context is not None else ()
    # A model's columns of alternative data that the lake no longer has are missing values, not an error:
    # missing for all symbols, so they are equal for all.
    gone = [name for name in columns or () if group_of_column(name) is not None and name not in known]
    market = context.market_columns if context is not None else frozenset[str]()
    layout = Layout(config.lookback_periods, (*known, *gone), market.union(gone))
    has_universe = universe is not None and not universe.is_empty
    available = {
        "universe": has_universe,
        "context": context is not None or bool(gone),
        "range": has_range or fixed,
        "volume": has_volume or fixed,
    }
    if universe is not None and has_universe and universe.periods != config.lookback_periods:
        raise DataError(
            f"the universe table was built for lookback_periods {list(universe.periods)}, but the features have "
            f"{list(config.lookback_periods)}. Build it again with this configuration."
        )
    wanted = () if fixed else config.technical_indicators
    specs, produced = [], list[str]()
    for spec, chosen, is_named in choose_features(wanted, layout, () if fixed else config.without):
        missing: list[str] = sorted(need for need in spec.needs if not available[need])
        if is_named and not chosen and spec.group in ALTERNATIVE_GROUPS:
            missing = [f"series of {spec.group}"]
        if missing and is_named:
            raise DataError(
                f"feature {spec.name!r} needs {' and '.join(missing)}, which the data do not have. Add it, or drop the "
                "feature."
            )
        if not missing:
            specs.append(spec)
            produced += chosen
    names = tuple(produced if columns is None else columns)
    unknown = [name for name in names if name not in set(produced)]
    if unknown:
        raise DataError(
            f"{len(unknown)} features cannot be computed from these data, such as {unknown[0]!r}. Give the data of the "
            "model's training: market series (context=) for context features, else its universe and periods."
        )
    if not names:
        raise DataError("no feature can be computed from these data. Widen features.technical_indicators.")
    position = {name: i for i, name in enumerate(names)}
    steps = []
    for spec in specs:
        positions = tuple(position.get(name, -1) for name in spec.columns(layout))
        if max(positions, default=-1) >= 0:
            steps.append((spec, positions))
    lag = universe.lag if universe is not None and has_universe else 0
    warmup = max([1, *(spec.warmup(layout) + lag * ("universe" in spec.needs) for spec, _ in steps)])
    return FeaturePlan(layout, names, tuple(steps), universe if has_universe else None, context, warmup)
