"""Caches the newest window of every symbol, featurised once; any model with the same features forecasts from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from itertools import islice
from typing import Self

import numpy as np
import numpy.typing as npt

from configs.models import LabelConfig
from configs.schema import Config
from features.bars.schema import SymbolBars
from features.context import MarketContext
from features.engineer import build_panel
from features.feature_plan import universe_columns
from features.panel import Panel
from features.universe import MIN_SYMBOLS, UniverseFacts, UniverseTable
from features.universe_build import build_universe
from training.data.arrays import Float32
from training.data.windows import Windows
from training.predictors.base import BasePredictor
from training.predictors.input_bars import resembles

_NO_SERIES = "market series that the model reads have no recent value on this day; their features count as missing"
_CHUNK = 32  # symbols featurised at once: their whole panel is in memory

Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How bars become the features that a model was fitted on; models with equal recipes share their tails."""

    config: Config
    feature_names: tuple[str, ...]
    universe: UniverseFacts

    @classmethod
    def of(cls, predictor: BasePredictor) -> Self:
        """Return the recipe of a fitted model, with everything of its configuration that does not matter left out."""
        config, plain = predictor.config, Config()
        recipe = plain.model_copy(
            update={
                "features": config.features,
                "data": plain.data.model_copy(update={"context": config.data.context}),
                "direction": plain.direction.model_copy(update={"label": config.direction.label}),
            }
        )
        return cls(recipe, predictor.feature_names, predictor.universe or UniverseFacts(MIN_SYMBOLS, 0))

    @property
    def label(self) -> LabelConfig:
        """What decides on the panel's volatility known at each bar."""
        return self.config.direction.label

    def table(self, bars: Iterable[SymbolBars]) -> tuple[UniverseTable, str]:
        """Return the universe's table as the model was fitted with one, and why it counts as missing, if it does."""
        features = self.config.features.model_copy(update={"universe_lag": self.universe.lag})
        unknown = UniverseTable.unknown(features.lookback_periods, self.universe.lag)
        if not universe_columns(features).intersection(self.feature_names):
            return unknown, ""
        table = build_universe(bars, features)
        if resembles(table, self.universe):
            return table, ""
        return unknown, (
            f"bars of {table.members} symbols are at hand and the model was fitted with {self.universe.members}, so "
            "features that compare a symbol with the universe count as missing"
        )

    def panel(self, bars: Sequence[SymbolBars], table: UniverseTable, context: MarketContext | None) -> Panel:
        """Return these symbols' features."""
        return build_panel(bars, self.config.features, table, context, self.label, columns=self.feature_names)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LatestWindows:
    """The newest windows of S symbols, and the series that forecasts need more of than a window.

    ``wanted`` are the symbols that were asked for; those without bars are not among the S. ``features`` is (S, W, F)
    float32, the last W bars of each symbol, NaN before its first. ``history`` is a panel
    without features: closes and variances of all bars that were read. ``table`` and ``context`` are what the features
    are relative to, for bars that somebody sends. ``note`` says why features count as missing, if some do.
    """

    recipe: Recipe
    wanted: frozenset[str]
    features: Float32
    history: Panel
    table: UniverseTable
    context: MarketContext | None
    note: str

    @classmethod
    def build(
        cls,
        recipe: Recipe,
        window: int,
        bars: Iterator[SymbolBars],
        wanted: frozenset[str],
        table: UniverseTable,
        context: MarketContext | None,
        note: str = "",
    ) -> Self:
        """Featurise a stream of symbols and keep the last ``window`` bars of each."""
        pieces, histories = list[Float32](), list[Panel]()
        while (chunk := list(islice(bars, _CHUNK))) or not pieces:
            panel = recipe.panel(chunk, table, context)
            pieces.append(_last(panel, window))
            histories.append(replace(panel, feature_names=(), features=np.empty((len(panel.dates), 0), np.float32)))
        return cls(recipe, wanted, np.concatenate(pieces), Panel.concat(histories), table, context, note)

    def notes(self, features: Float32) -> list[tuple[str, ...]]:
        """Return what to know of forecasts from each of these last bars' features (n, F), as ``build`` made them."""
        series = [i for i, name in enumerate(self.recipe.feature_names) if name.startswith("context_")]
        always = (self.note,) if self.note else ()
        return [(*always, *((_NO_SERIES,) if np.isnan(row[series]).any() else ())) for row in features]

    def newest_notes(self) -> dict[str, tuple[str, ...]]:
        """Return the notes of each symbol's newest bar."""
        return dict(zip(self.history.symbols, self.notes(self.features[:, -1]), strict=True))

    def serves(self, window: int, symbols: Set[str]) -> bool:
        """Whether windows of so many bars of these symbols can be taken from here."""
        return self.features.shape[1] >= window and self.wanted >= symbols

    def windows(
        self, predictor: BasePredictor, wanted: Set[str]
    ) -> tuple[tuple[str, ...], Windows | None, dict[str, str]]:
        """Return the newest windows of the symbols that a model is to forecast, and why others of them have none.

        Windows are those of the returned symbols, in order; None if there is none.
        """
        panel = self.history
        lengths = np.diff(panel.offsets)
        row = predictor.first_row(panel)
        first = {i: row for i, name in enumerate(panel.symbols) if name in wanted}
        short = {panel.symbols[i]: too_few(int(lengths[i]), row) for i, row in first.items() if lengths[i] <= row}
        chosen = [i for i, row in first.items() if lengths[i] > row]
        symbols = tuple(panel.symbols[i] for i in chosen)
        if not symbols:
            return symbols, None, short
        found = predictor.windows(panel.select(symbols), [lengths[i : i + 1] - 1 for i in chosen])
        return symbols, Windows.separate(found.dates, self.features[chosen, -predictor.window :], found.series), short


def too_few(bars: int, first: int) -> str:
    """Return what to tell of a symbol that has no complete window."""
    return f"{bars} bars; at least {first + 1} are needed for a forecast"


def _last(panel: Panel, window: int) -> Float32:
    """Return each symbol's last ``window`` rows (S, window, F), NaN where it has fewer."""
    out = np.full((len(panel.symbols), window, panel.features.shape[1]), np.nan, np.float32)
    for i in range(len(panel.symbols)):
        rows = panel.features[panel.rows(i)][-window:]
        out[i, window - len(rows) :] = rows
    return out
