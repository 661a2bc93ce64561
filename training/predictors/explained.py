"""Feature importance of a fleet (permutation) and feature contributions to one forecast (occlusion), as tables."""

from __future__ import annotations

import pandas as pd

from configs.errors import DataError, ModelError, require, shortened
from features.any_bars import AnyBars
from features.splits import Split
from features.universe import UniverseTable
from training.data.examples import Examples
from training.predictors.forecast_frames import Importance
from training.predictors.importance import contributions, permutation_importance
from training.predictors.input_bars import AnyContext
from training.predictors.reads_bars import ReadsBars


class Explained(ReadsBars):
    """Feature importance of a fleet (permutation) and feature contributions to one forecast (occlusion)."""

    _examples: Examples | None = None  # of the last fit

    def fitted_on(self, examples: Examples) -> bool:
        """Return whether the last fit was on these very examples."""
        return self._examples is examples

    def get_feature_importance(
        self,
        bars: AnyBars | None = None,
        *,
        context: AnyContext | None = None,
        split: Split | None = None,
        seed: int = 0,
    ) -> Importance:
        """Return each feature's ``importance`` and its ``standard_error``, the most important first.

        Importance is how much the validation loss rises when the feature is permuted, and its error is clustered by
        day; see :func:`.permutation_importance`. Without bars, on the validation rows of the last ``fit`` of this
        object; otherwise the arguments are those of ``fit``.

        Raises
        ------
        ModelError
            Nothing is fitted, or no bars are given and the predictor was loaded or refitted rather than fitted.
        """
        self._check_fitted()
        require(seed, int, "seed", "a whole number")
        examples = self._examples if bars is None else self.examples(bars, context=context, split=split)
        if examples is None:
            raise ModelError(
                f"this {type(self).__name__} was loaded or refitted, and has no validation rows that it has not seen. "
                "Ask the predictor of fit, or give the bars to measure on: get_feature_importance(bars)."
            )
        known = frozenset(self.symbols)
        fitted = tuple(symbol for symbol in examples.panel.symbols if symbol in known)
        if not fitted:
            given = shortened(examples.panel.symbols)
            raise ModelError(f"none of {given} was fitted; this {type(self).__name__} holds {shortened(self.symbols)}.")
        found = permutation_importance(self, examples.select(fitted), seed)
        index = pd.Index(list(found), name="feature")
        return Importance(list(found.values()), index=index, columns=["importance", "standard_error"])

    def analyze_feature_contributions(
        self,
        bars: AnyBars,
        symbol: str | None = None,
        *,
        context: AnyContext | None = None,
        universe: UniverseTable | None = None,
    ) -> pd.Series:
        """Return how much each feature moves the latest forecast of ``symbol``, the largest first.

        In log odds of up against down for direction, in log variance for volatility; see
        :func:`training.predictors.importance.contributions`. One symbol needs no name; the other arguments are those
        of :meth:`predict`.

        Raises
        ------
        DataError
            Several symbols are given and none is named, or the one has too few bars.
        """
        require(symbol, (str, type(None)), "symbol", "a name such as 'AAPL'")
        panel = self.panel(bars, context=context, universe=universe)
        if symbol is None and len(panel.symbols) > 1:
            raise DataError(f"{len(panel.symbols)} symbols are given ({shortened(panel.symbols)}). Name one: symbol=.")
        panel = panel.select((panel.symbols[0] if symbol is None else symbol,))
        first = self.first_row(panel)
        if len(panel.dates) <= first:
            count = len(panel.dates)
            raise DataError(f"{panel.symbols[0]} has {count} bars; at least {first + 1} are needed for a forecast.")
        return pd.Series(contributions(self._score, panel, self.window), name="contribution").rename_axis("feature")
