"""What a kind of model is: its labels, metrics, baselines, search space and how its scores are shown."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from configs.schema import Config
from configs.space import Parameter
from features.panel import Panel
from features.splits import Split, SplitRows, newest_rows, split_rows
from training.data.examples import Examples
from training.metrics.daily_sums import DailySums

if TYPE_CHECKING:
    from training.predictors.bars_predictor import BarsPredictor

Float = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]


class ShownMetric(NamedTuple):
    """A metric, its heading or name, and the factor to print it with."""

    name: str
    title: str
    factor: float = 1.0


class Named(NamedTuple):
    """A baseline or member, and its name in sentences."""

    name: str
    title: str


class Coverage(NamedTuple):
    """What should contain the outcome, in words, and the setting of the section with its nominal level."""

    title: str
    setting: str


@dataclass(frozen=True, slots=True)
class Layout:
    """How the scores of a kind are shown. Words for people are given as ``title=``: an edit of them fits nothing again.

    Attributes
    ----------
    columns
        Of tables with a row for the model and each baseline. Of a mean square (``roots``) the root is shown.
    references
        Baselines that a verdict is given against.
    alone
        Metrics of the model only.
    coverage
        Its sets or intervals.
    members
        Parts of the model, mentioned only where one alone would have been better.
    """

    columns: tuple[ShownMetric, ...]
    references: tuple[Named, ...]
    alone: tuple[ShownMetric, ...]
    coverage: Coverage
    roots: tuple[str, ...] = ()
    members: tuple[Named, ...] = ()


@dataclass(frozen=True, slots=True)
class Evaluated:
    """Test rows scored: columns of the table of forecasts, sums by day, scores by symbol, and the adapted predictor."""

    columns: dict[str, npt.NDArray[Any]]
    daily: DailySums
    per_symbol: dict[str, dict[str, float]]
    adapted: BarsPredictor


class Task(ABC):
    """One kind of model.

    Attributes
    ----------
    kind
        Its name, which is also that of its section of the configuration.
    name_prefix
        Beginning of the names of single-symbol models, such as ``price_direction_aapl``.
    loss, loss_title
        The metric that decides, lower is better: its key and its name in sentences.
    baseline
        The baseline that sweeps compare with.
    sums
        The class of its daily sums.
    """

    kind: ClassVar[str]
    name_prefix: ClassVar[str]
    loss: ClassVar[str]
    loss_title: ClassVar[str]
    baseline: ClassVar[str]
    sums: ClassVar[type[DailySums]]

    @property
    @abstractmethod
    def layout(self) -> Layout:
        """How its scores are shown."""

    @abstractmethod
    def first_row(self, panel: Panel, config: Config) -> int:
        """Return the first row of a symbol that can have a forecast."""

    @abstractmethod
    def targets(self, panel: Panel, symbol: int, config: Config) -> tuple[Float, npt.NDArray[np.bool_]]:
        """Return what a symbol's rows are to predict (n,), and where that is known (n,)."""

    def examples(self, panel: Panel, split: Split, config: Config, *, newest: bool = False) -> Examples:
        """Return the examples of a panel; a symbol's rows count from its first row that can have a forecast.

        ``newest`` rows are those of the last fit, which is published; the others are of one that is tested.
        """
        first, horizon = self.first_row(panel, config), config.section(self.kind).horizon
        targets, rows = np.empty(len(panel.dates)), []
        for i in range(len(panel.symbols)):
            part = panel.rows(i)
            targets[part], known = self.targets(panel, i, config)
            dates, usable = panel.dates[part], known & (np.arange(len(known)) >= first)
            chosen = SplitRows(*(r[usable[r]] for r in split_rows(dates, split, horizon)))
            if newest:
                reach = max(horizon, split.purge)
                last = int(np.searchsorted(dates, split.test_end, side="right")) - reach
                chosen = newest_rows(chosen, np.flatnonzero(usable[: max(last, 0)]), reach + split.embargo)
            rows.append(chosen)
        return Examples(panel, targets, tuple(rows))

    @abstractmethod
    def has_pooled_fit(self, config: Config) -> bool:
        """Whether something is fitted on all symbols together, before the symbols."""

    def has_network(self, config: Config) -> bool:
        """Whether it fits a network, for which a worker needs TensorFlow."""
        return True

    def slow_parts(self, config: Config, bars: int) -> tuple[str, ...]:
        """Return the parts of the pooled fit that take long enough with so many bars to be jobs of their own."""
        return ()

    @abstractmethod
    def evaluate(self, predictor: Any, examples: Examples, rows: Int64, symbol: Int64, own: Int64) -> Evaluated:
        """Score a predictor on test rows.

        ``rows`` (n,) are rows of the panel, ``symbol`` (n,) each one's position among the panel's symbols and ``own``
        (n,) among the predictor's.
        """

    @abstractmethod
    def named_forecasts(
        self, columns: Mapping[str, npt.NDArray[Any]], baselines: Mapping[str, npt.NDArray[Any]]
    ) -> dict[str, npt.NDArray[Any]]:
        """Return columns (n,) of a forecast, and forecasts (n, …) of baselines, under the names of test tables."""

    @abstractmethod
    def space(self, config: Config) -> dict[str, Parameter]:
        """Return what sweeps vary, by the path of each setting."""

    @abstractmethod
    def check(self, config: Config) -> None:
        """Raise ConfigError where the settings name what this kind does not have."""

    def coverage_level(self, config: Config) -> float:
        """Return the share of outcomes that its sets or intervals should contain."""
        level: float = getattr(config.section(self.kind), self.layout.coverage.setting)
        return level

    def identity(self, config: Config) -> Mapping[str, Any]:
        """Return the settings besides the section's that decide what is forecast, as JSON."""
        return {}
