"""The newest window of every symbol, featurised once; all models with the same features forecast from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import NamedTuple, Self

import numpy as np

from configs.errors import shortened
from configs.feature_groups import group_of_column
from configs.models import LabelConfig
from configs.schema import Config
from configs.words import counted
from features.bars.schedule_fit import schedule_of
from features.bars.schema import SymbolBars
from features.context import MarketContext
from features.engineer import build_panel, newest_features
from features.feature_plan import series_columns, universe_columns
from features.panel import Panel
from features.universe import MIN_SYMBOLS, UniverseFacts, UniverseTable
from features.universe_build import build_universe
from serving.answers import Failure
from serving.known_sources import KnownSource, known_sources
from serving.targets import LastBar, last_bars
from training.data.arrays import Float32
from training.data.windows import Windows
from training.predictors.bars_predictor import BarsPredictor
from training.predictors.input_bars import resembles

_NO_SERIES = "market series that the model reads have no recent value on this day; their features count as missing"
_NO_DATA = "the model reads {sources}, which have no recent value on this day; their features count as missing"
_CHUNK = 32  # symbols featurised together: their panel is in memory


@dataclass(frozen=True)
class FeatureRecipe:
    """How bars become the features that a model was fitted on; models with equal recipes share their windows."""

    config: Config
    feature_names: tuple[str, ...]
    universe: UniverseFacts
    members: frozenset[str]

    @classmethod
    def of(cls, predictor: BarsPredictor, members: frozenset[str]) -> Self:
        """Return a fitted model's recipe, without the parts of its configuration that do not affect features.

        ``members`` are the symbols that training built the universe's table from.
        """
        config, plain = predictor.config, Config()
        relevant = plain.model_copy(
            update={
                "features": config.features,
                "data": plain.data.model_copy(update={"context": config.data.context}),
                "direction": plain.direction.model_copy(update={"label": config.direction.label}),
            }
        )
        return cls(relevant, predictor.feature_names, predictor.universe or UniverseFacts(MIN_SYMBOLS, 0), members)

    @property
    def label(self) -> LabelConfig:
        """The label settings, which determine the panel's volatility known at each bar."""
        return self.config.direction.label

    @cached_property
    def market_series(self) -> list[int]:
        """The positions of features of market series that are not alternative data."""
        columns = series_columns(self.feature_names, self.config.features)
        return [int(i) for i in columns if group_of_column(self.feature_names[i]) is None]

    def table(self, bars: Iterable[SymbolBars]) -> tuple[UniverseTable, str]:
        """Return the universe's table, and why it counts as missing, if these bars are not the fitted universe."""
        features = self.config.features.model_copy(update={"universe_lag": self.universe.lag})
        unknown = UniverseTable.unknown(features.lookback_periods, self.universe.lag)
        if not universe_columns(features).intersection(self.feature_names):
            return unknown, ""
        table = build_universe(bars, features, self.members)
        if resembles(table, self.universe):
            return table, ""
        return unknown, (
            f"bars of {table.members} symbols are available and the model was fitted with {self.universe.members}, so "
            "features that compare a symbol with the universe count as missing"
        )

    def panel(self, bars: Sequence[SymbolBars], table: UniverseTable, context: MarketContext | None) -> Panel:
        """Return these symbols' features."""
        return build_panel(bars, self.config.features, table, context, self.label, columns=self.feature_names)


class Remarks(NamedTuple):
    """Warnings about a forecast, and what it knows of the alternative data that the model reads."""

    notes: tuple[str, ...]
    sources: tuple[KnownSource, ...]


Piece = tuple[Float32, Panel]
Featurise = Callable[[FeatureRecipe, int, Iterator[SymbolBars], UniverseTable, MarketContext | None], Iterable[Piece]]
"""Returns the newest windows of symbols, and their history without features, in pieces, in the order of the bars."""


def in_chunks(
    recipe: FeatureRecipe,
    length: int,
    bars: Iterator[SymbolBars],
    table: UniverseTable,
    context: MarketContext | None,
) -> Iterator[Piece]:
    """Featurise some symbols at a time; one empty piece without any."""
    is_first = True
    while (chunk := list(islice(bars, _CHUNK))) or is_first:
        is_first = False
        yield newest_features(chunk, length, recipe.config.features, table, context, recipe.label, recipe.feature_names)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LatestWindows:
    """The newest windows of S symbols, and the longer series that some forecasts need.

    Attributes
    ----------
    requested
        The requested symbols; the S are those of them that have bars.
    features
        (S, W, F) float32: the last W bars of each symbol, NaN before its first.
    history
        A panel without features: dates, closes and variances of all bars that were read.
    table, context
        What features are relative to, also for bars that a request brings.
    note
        Why features count as missing, or empty.
    """

    recipe: FeatureRecipe
    requested: frozenset[str]
    features: Float32
    history: Panel
    table: UniverseTable
    context: MarketContext | None
    note: str

    @classmethod
    def build(
        cls,
        recipe: FeatureRecipe,
        length: int,
        bars: Iterator[SymbolBars],
        requested: frozenset[str],
        table: UniverseTable,
        context: MarketContext | None,
        note: str = "",
        featurise: Featurise | None = None,
    ) -> Self:
        """Featurise a stream of symbols and keep the last ``length`` bars of each."""
        pieces = list((featurise or in_chunks)(recipe, length, bars, table, context))
        features, history = np.concatenate([one for one, _ in pieces]), Panel.concat([panel for _, panel in pieces])
        return cls(recipe, requested, features, history, table, context, note)

    def remarks(self, features: Float32) -> list[Remarks]:
        """Return the remarks on forecasts from each of these last bars; ``features`` is (n, F)."""
        recipe = self.recipe
        always = (self.note,) if self.note else ()
        found = list[Remarks]()
        for row, sources in zip(np.isnan(features), known_sources(recipe.feature_names, features), strict=True):
            missing = [source.name for source in sources if not source.known]
            of_series = (_NO_SERIES,) if row[recipe.market_series].any() else ()
            of_data = (_NO_DATA.format(sources=shortened(missing)),) if missing else ()
            found.append(Remarks((*always, *of_series, *of_data), sources))
        return found

    def newest_remarks(self) -> dict[str, Remarks]:
        """Return the remarks on each symbol's newest bar."""
        return dict(zip(self.history.symbols, self.remarks(self.features[:, -1]), strict=True))

    def last_bars(self) -> dict[str, LastBar]:
        """Return each symbol's newest bar."""
        panel = self.history
        schedules = [schedule_of(panel.dates[panel.rows(i)]) for i in range(len(panel.symbols))]
        return dict(zip(panel.symbols, last_bars(panel, schedules), strict=True))

    def covers(self, length: int, symbols: Set[str]) -> bool:
        """Return whether windows of this length of these symbols can be taken from here."""
        return self.features.shape[1] >= length and self.requested >= symbols

    def windows_of(
        self, predictor: BarsPredictor, wanted: Set[str]
    ) -> tuple[tuple[str, ...], Windows | None, dict[str, Failure]]:
        """Return the wanted symbols that can be forecast, their windows, and why others cannot.

        Windows are in the order of the returned symbols, or None if there is none.
        """
        panel = self.history
        lengths = np.diff(panel.offsets)
        problems = {i: why_no_forecast(predictor, panel, i) for i, name in enumerate(panel.symbols) if name in wanted}
        refused = {panel.symbols[i]: failure for i, failure in problems.items() if failure is not None}
        chosen = [i for i, failure in problems.items() if failure is None]
        symbols = tuple(panel.symbols[i] for i in chosen)
        if not symbols:
            return symbols, None, refused
        found = predictor.windows(panel.select(symbols), [lengths[i : i + 1] - 1 for i in chosen])
        latest = self.features[chosen, -predictor.window :]
        return symbols, Windows.separate(found.dates, latest, found.series, found.bars_per_year), refused


def why_no_forecast(predictor: BarsPredictor, panel: Panel, symbol: int) -> Failure | None:
    """Return why the last bar of a panel's symbol cannot be forecast, or None if it can be."""
    if problem := predictor.period.refusal(panel.periods[symbol]):
        return Failure("bad_bars", problem)
    rows, first = panel.rows(symbol), predictor.first_row(panel)
    bars = rows.stop - rows.start
    if bars <= first:
        return Failure("too_few_bars", f"{counted(bars, 'bar')}; at least {first + 1} are needed for a forecast")
    close = panel.close[rows]
    if np.ptp(close) <= 1e-9 * close[0]:
        return Failure("bad_bars", f"the price is {close[0]:g} in all {bars:,} bars; give bars of a price that moves")
    return None
