"""What a member of the volatility ensemble is: how it is fitted, what it reads, and what it forecasts.

Each module of :mod:`training.models.volatility.members` is one member and declares it as ``SPEC``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from configs.schema import Config
from configs.space import Parameter
from features.panel import Panel
from training.data.arrays import Float, Float32, row_index
from training.data.design import Design
from training.data.examples import Examples, Int64
from training.data.windows import Windows
from training.models.volatility.anchor import anchor_inputs
from training.models.volatility.fleet_state import FleetState, Mask

_HALF_LIFE_DAYS = 8 * 365.25  # rows so old count half: markets change


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a panel that a fit reads: their ``panel_rows`` (n,), ``symbol`` (n,) and what regressions need of them.

    ``inputs`` (n, 1 + TERMS) are those of :func:`.anchor_inputs`, ``features`` (n, k) those of the design. ``is_train``
    (n,) marks train rows; the others are validation rows.
    """

    panel_rows: Int64
    symbol: Int64
    inputs: Float
    features: Float32
    target: Float
    weight: Float
    is_train: Mask

    @classmethod
    def of(cls, examples: Examples, design: Design, newest: Int64) -> Self:
        """Return the train and validation rows that have the anchor's inputs.

        Rows as old as the half-life, counted from ``newest`` (1,) in ns, count half.
        """
        panel = examples.panel
        panel_rows, symbol = examples.panel_rows(examples.train_and_valid())
        inputs = anchor_inputs(panel.variance, panel.close, panel.offsets)[panel_rows]
        known = np.isfinite(inputs).all(axis=1)
        panel_rows, symbol, inputs = panel_rows[known], symbol[known], inputs[known]
        age_days = (newest[0] - panel.dates[panel_rows].astype("datetime64[ns]").view(np.int64)) / 86_400e9
        weight = np.asarray(0.5 ** (age_days / _HALF_LIFE_DAYS), np.float64)
        features = design.transform(panel.features[panel_rows])
        train = np.zeros(len(examples.targets), bool)
        train[examples.panel_rows(examples.part("train"))[0]] = True
        return cls(panel_rows, symbol, inputs, features, examples.targets[panel_rows], weight, train[panel_rows])

    @property
    def train(self) -> Self:
        """The train rows, copied."""
        return self.take(self.is_train)

    def take(self, chosen: npt.NDArray[Any]) -> Self:
        """Return some of the rows."""
        return type(self)(*(getattr(self, one.name)[chosen] for one in fields(self)))


@dataclass(frozen=True, slots=True)
class FitData:
    """What members are fitted on.

    ``known`` (rows,) marks train and validation rows of the panel, ``train`` are its train rows. ``base`` (n,) is the
    pooled linear forecast of the train rows, which members correct; ``panel_base`` (rows,) the same of train and
    validation rows of the panel, NaN elsewhere. ``tested`` are members by name of an earlier fit, whose choices on
    validation (epochs) this one repeats on more rows.
    """

    examples: Examples
    config: Config
    design: Design
    known: Mask
    train: Rows
    base: Float
    panel_base: Float
    tested: Mapping[str, FleetState] = field(default_factory=dict)

    @property
    def panel(self) -> Panel:
        """The panel of the examples."""
        return self.examples.panel


@dataclass(frozen=True)
class ForecastInputs:
    """What members read for n windows: ``symbols`` (n,) are rows of the fleet, ``base`` (n,) the linear forecast."""

    config: Config
    design: Design
    windows: Windows
    bars: Float32  # (N, k) of the windows, transformed by the design
    symbols: Int64
    base: Float
    series: Mapping[str, Float]

    @cached_property
    def last(self) -> Float32:
        """Features (n, k′) of each window's last bar that differ between symbols."""
        return np.ascontiguousarray(self.bars[self.windows.ends][:, self.design.own])

    def rows(self, fleet: FleetState) -> Int64:
        """Return the rows (n,) of a fleet that has one row for all symbols, or a row for each."""
        return row_index(len(fleet), self.symbols)


@dataclass(frozen=True, slots=True)
class Series:
    """What a member reads of a symbol's history: ``compute(panel, fleet)`` returns (rows, ``width``).

    ``fleet`` has a row for each symbol of the panel, in order. Row t uses bars ≤ t. Members may share a series. With
    ``is_windowed``, row t is a function of the newest ``anchor.LONGEST`` bars if each of them has a variance.
    """

    name: str
    width: int
    compute: Callable[[Panel, Any], Float]
    is_windowed: bool = False


@dataclass(frozen=True, slots=True)
class MemberSpec:
    """A member of the ensemble.

    Attributes
    ----------
    name, title
        Of settings and metrics, and in sentences.
    forecast
        ``forecast(inputs, fleet)`` returns the mean variance (n,) of the next bars, NaN where there is none.
    state
        The class of its fleet; None for a member without a fit of its own.
    fit_shared
        Returns the fleet of one row that all symbols share, which symbols that were not fitted use as well.
    fit_own
        Returns the fleet of the examples' symbols, given the shared one; None to use the shared one.
    series
        What it reads of the history before the window.
    is_slow
        Whether its shared fit takes seconds on ten thousand bars; runs on that many give it a job of its own.
    is_network
        Whether it is a network, for which a worker needs TensorFlow.
    share
        Its weight among the members, before they are shrunk to the anchor.
    is_baseline
        Whether it is fitted and shown whether it is configured or not.
    rank
        Of a baseline: the lower, the earlier the model is compared with it. The first one ranks symbols.
    is_combined
        Whether it takes part in the combined forecast.
    is_fallback
        Whether this baseline, which has a forecast of every bar, replaces the ensemble where there is no anchor. One
        member is.
    aliases
        Further names of it as ``volatility.model``.
    space
        What sweeps vary of it.
    parameters
        ``parameters(fleet)`` returns means of what was fitted by name, which walk-forward runs follow through time.
    """

    name: str
    title: str
    forecast: Callable[[ForecastInputs, Any], Float]
    state: type[FleetState] | None = None
    fit_shared: Callable[[FitData], Any] | None = None
    fit_own: Callable[[FitData, Any], Any] | None = None
    series: Series | None = None
    is_slow: bool = False
    is_network: bool = False
    share: float = 0.0
    is_baseline: bool = False
    rank: int = 100
    is_combined: bool = True
    is_fallback: bool = False
    aliases: tuple[str, ...] = ()
    space: Mapping[str, Parameter] = field(default_factory=dict)
    parameters: Callable[[Any], Mapping[str, float]] | None = None

    def __post_init__(self) -> None:
        if (self.state is None) != (self.fit_shared is None) or (
            self.fit_shared is None and (self.fit_own is not None or self.series is not None)
        ):
            raise ValueError(f"member {self.name!r}: fit_own and series need state and fit_shared, which go together")
