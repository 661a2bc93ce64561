"""From bars, or a frame of features, to the panel that a fleet forecasts and the examples that it is fitted on."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, ClassVar

import pandas as pd

from configs.errors import DataError, ModelError, require, shortened
from configs.schema import Config
from features.any_bars import AnyBars
from features.bars.schema import SymbolBars
from features.engineered import origin_of
from features.feature_plan import universe_columns
from features.panel import Panel
from features.splits import Split, resolve_split
from features.universe import UniverseTable
from features.usable_bars import usable_bars
from training.data.examples import Examples
from training.predictors.feature_frames import is_features, looks_like_features, panel_of_features
from training.predictors.feature_labels import examples_of_features
from training.predictors.fitted import Fitted
from training.predictors.input_bars import AnyContext, context_of, panel_of, universe_as_fitted

_MANY_BARS = 20  # fewer equal closes may be chance


class ReadsBars(Fitted):
    """A fleet that reads bars in any form and, where it needs no prices, features."""

    from_features: ClassVar[bool] = False  # whether fit takes features and labels: models that read no prices
    own_features: bool = False  # whether it was fitted on features that bars do not give

    def panel(
        self,
        bars: AnyBars,
        *,
        symbol: str | None = None,
        context: AnyContext | None = None,
        universe: UniverseTable | None = None,
    ) -> Panel:
        """Return the panel of the symbols that can be forecast; the arguments are those of :meth:`predict`."""
        self._check_fitted()
        require(universe, (UniverseTable, type(None)), "universe", "a table of features.build_universe")
        if is_features(bars, self.feature_names) and self.from_features:
            return self._known(self._of_universe(panel_of_features(bars, self.feature_names, symbol or self._only())))
        self._refuse_features(bars)
        given, known = self._bars(bars, symbol), frozenset(self.symbols)
        fitted = given if self.forecasts_unseen else [one for one in given if one.symbol in known]
        if not fitted:
            raise self._no_model([one.symbol for one in given])
        table, series = self._table(given if universe is None else universe), context_of(context, self.config)
        return self._of_one_period(panel_of(fitted, table, self.config, series, self.feature_names))

    def examples(
        self,
        bars: AnyBars,
        *,
        symbol: str | None = None,
        context: AnyContext | None = None,
        split: Split | None = None,
        newest: bool = False,
    ) -> Examples:
        """Return the examples that these bars make; a fitted predictor's have its own features."""
        if self.symbols:
            self._refuse_features(bars)
        given = self._bars(bars, symbol)
        table, series = self._table(given) if self.symbols else given, context_of(context, self.config)
        panel = self._of_one_period(panel_of(given, table, self.config, series, self.feature_names or None))
        split = split or resolve_split(panel.dates, self.config.split, self.config.section(self.kind).horizon)
        return self.task.examples(panel, split, self.config, newest=newest)

    def examples_of(
        self, frame: Any, target: Any, symbol: str | None, split: Split | None, horizon_given: bool = False
    ) -> Examples:
        """Return the examples of features and labels, with the settings that the features were made with."""
        if not self.from_features:
            raise DataError(
                f"a {type(self).__name__} reads past prices, which features do not have. Give it the bars: fit(bars)."
            )
        panel = panel_of_features(frame, None, symbol)
        origin = origin_of(frame)
        if origin is not None and self.config.features == Config().features:
            self.config = self.config.model_copy(update={"features": origin.config})
        made = origin is not None and origin.unchanged and origin.config == self.config.features
        of_bars = made and (panel.universe is not None or not self._relative(panel.feature_names))
        self.own_features = not of_bars
        direction = self.config.direction
        split = split or resolve_split(panel.dates, self.config.split, direction.horizon)
        first = self.first_row(panel)
        return examples_of_features(frame, target, direction, split, panel, first, horizon_given)

    def _known(self, panel: Panel) -> Panel:
        """Return a panel of the symbols that can be forecast."""
        if self.forecasts_unseen:
            return panel
        fitted = [symbol for symbol in panel.symbols if symbol in frozenset(self.symbols)]
        if not fitted:
            raise self._no_model(panel.symbols)
        return panel.select(fitted)

    def _relative(self, names: Sequence[str]) -> bool:
        """Return whether some of these features are relative to the universe."""
        return not universe_columns(self.config.features).isdisjoint(names)

    def _of_universe(self, panel: Panel) -> Panel:
        """Return a panel of features that are relative to a universe like that of the fit, where both are known."""
        ours, theirs = self.universe, panel.universe
        if ours is None or theirs is None or not self._relative(self.feature_names):
            return panel
        if theirs.lag != ours.lag or 2 * theirs.members < ours.members:
            raise DataError(
                f"the features are relative to {theirs.members} symbols with lag {theirs.lag}, and the model was "
                f"fitted with {ours.members} and lag {ours.lag}. Make them with universe= of the same symbols and "
                f"features.universe_lag={ours.lag}."
            )
        return panel

    def _of_one_period(self, panel: Panel) -> Panel:
        """Return a panel whose bars are of the period that the fleet was fitted on."""
        if problem := self.period.refusal(panel.period):
            raise DataError(f"{shortened(panel.symbols)}: {problem}")
        return panel

    def _bars(self, bars: AnyBars, symbol: str | None) -> list[SymbolBars]:
        """Return bars as training reads them; those that name no symbol are of the only one, if there is one.

        Warns
        -----
        UserWarning
            The price of a symbol is constant.
        """
        only, on_steps = self._only() or "SYMBOL", self.config.data.on_steps
        found = usable_bars(bars, symbol, default_symbol=only, on_steps=on_steps, stacklevel=4)
        if flat := [one.symbol for one in found if len(one) >= _MANY_BARS and one.is_constant]:
            warnings.warn(
                f"{shortened(flat)}: the price is constant in all bars, so no model can be fitted and a forecast says "
                "nothing. Check the bars.",
                stacklevel=4,
            )
        return found

    def _only(self) -> str | None:
        return self.symbols[0] if len(self.symbols) == 1 else None

    def _no_model(self, symbols: Sequence[str]) -> ModelError:
        return ModelError(
            f"there is no model for {shortened(symbols)}; this {type(self).__name__} holds {shortened(self.symbols)}. "
            "Fit it on them first."
        )

    def _refuse_features(self, bars: AnyBars) -> None:
        """Raise where features are given to a model that wants bars, or other features, or bars where features are."""
        name = type(self).__name__
        if self.own_features:
            raise ModelError(
                f"this {name} was fitted on features that bars do not give ({shortened(self.feature_names)}). Give it "
                "a frame with these columns, or fit it on bars."
            )
        if not looks_like_features(bars):
            return
        assert isinstance(bars, pd.DataFrame)
        if not self.from_features:
            raise ModelError(f"a {name} reads past prices, which features do not have. Give it the bars.")
        missing = [column for column in self.feature_names if column not in bars.columns]
        raise ModelError(
            f"the frame has neither a close, as bars have, nor the feature {missing[0]!r} that this {name} was fitted "
            f"with ({len(missing)} of {len(self.feature_names)} are missing). Make it as for fit."
        )

    def _table(self, universe: Sequence[SymbolBars] | UniverseTable) -> UniverseTable:
        return universe_as_fitted(universe, self.config.features, self.feature_names, self.universe)
