"""What every predictor offers to a person: fit and predict frames of bars, importance and contributions.

To add a kind of model, subclass :class:`BasePredictor` and add a module to :mod:`training.tasks`.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

import numpy as np

from configs.errors import DataError, ModelError, shortened
from features.bars.period import BarPeriod
from features.bars.schema import SymbolBars
from features.panel import Panel
from features.splits import Split, newest_rows, resolve_split, split_rows
from features.universe import UniverseTable
from training.data.examples import Examples, Int64, panel_rows
from training.predictors.fleet import PredictorFleet
from training.predictors.importance import contributions, permutation_importance
from training.predictors.input_bars import (
    AnyBars,
    AnyContext,
    context_of,
    listed,
    panel_of,
    universe_as_fitted,
)
from training.tasks.task import RowsOf

if TYPE_CHECKING:
    import pandas as pd


OWN, POOLED = "own", "pooled"


class BasePredictor(PredictorFleet):
    """A fleet of one kind of model, scikit-learn style: ``fit`` bars, then ``predict``.

    Examples
    --------
    Every predictor is used the same way, whatever its kind:

    >>> from training import BasePredictor, PriceDirectionPredictor, VolatilityPredictor
    >>> [issubclass(kind, BasePredictor) for kind in (PriceDirectionPredictor, VolatilityPredictor)]
    [True, True]
    """

    def fit(self, bars: AnyBars, *, context: AnyContext | None = None, split: Split | None = None) -> Self:
        """Fit every symbol in these bars.

        Parameters
        ----------
        bars
            A frame in any common spelling (one symbol or many), or validated bars.
        context
            Market series for the context features, in long form (``date, series, value``) or as made of it by
            :meth:`.MarketContext.from_frame`; give the same to ``predict``.
        split
            Train, validation and test dates; by default the configuration's. Test rows are never touched.

        Raises
        ------
        DataError
            No symbol has enough bars, or none could be fitted.
        """
        self.symbols, self.feature_names, self.universe, self.period = (), (), None, BarPeriod()
        return self.fit_every(self.examples(bars, context=context, split=split))

    def refit(self, bars: AnyBars, *, context: AnyContext | None = None, split: Split | None = None) -> Self:
        """Return the same model fitted on all that these bars tell, the test period included, to forecast what follows.

        Features, ridge and epochs stay those that :meth:`fit` chose in this process; calibration is of each symbol's
        newest rows, as many as the split has for validation. Judge the model before, by the test rows of :meth:`fit`:
        afterwards none is left. The arguments are those of :meth:`fit`; give the same bars.

        Raises
        ------
        ModelError
            This predictor was not fitted, or it was loaded.
        """
        self._check_fitted()
        if self._fitted_pool is None:
            raise ModelError(f"this {type(self).__name__} was loaded. Call fit(bars) first: refit repeats its choices.")
        examples = self.examples(bars, context=context, split=split, rows_of=newest_rows)
        return type(self)(self.config).fit_every(examples, self)

    def predict(
        self, bars: AnyBars, *, context: AnyContext | None = None, universe: UniverseTable | None = None
    ) -> pd.DataFrame:
        """Return a forecast at every bar that completes a window, indexed by ``(symbol, date)``.

        The column ``basis`` is ``own`` for symbols that were fitted. The others are forecast by what all fitted symbols
        share: ``pooled``. Where symbols share nothing (direction's strategy ``per_symbol``) they are left out.
        ``in_sample`` marks bars before :attr:`calibrated_to`: their outcomes were used in fitting, so a score on them
        says nothing.

        Parameters
        ----------
        bars
            Cross-asset features are relative to all symbols given here, so give the same as to ``fit``; or
        universe
            a table of them (:func:`features.build_universe`), to forecast a few symbols of a large universe.
        context
            The market series that were given to ``fit``.

        Raises
        ------
        ModelError
            Nothing is fitted, or symbols share nothing and none of these is fitted.

        Warns
        -----
        UserWarning
            Less than half of the universe is given, so cross-asset features count as missing; or a symbol has too few
            bars for a forecast.
        """
        return self.predict_panel(self.panel(bars, context=context, universe=universe))

    def predict_panel(self, panel: Panel, rows: Sequence[Int64] | None = None) -> pd.DataFrame:
        """Return forecasts indexed by ``(symbol, date)``: of these rows, or of every complete window."""
        import pandas as pd

        if rows is None:
            first, lengths = self.first_row(panel), np.diff(panel.offsets)
            if short := [symbol for symbol, n in zip(panel.symbols, lengths, strict=True) if n <= first]:
                warnings.warn(
                    f"{shortened(short)} have no forecast: {int(lengths.min())} bars are given, {first + 1} needed",
                    stacklevel=3,
                )
            rows = [np.arange(min(first, length), length, dtype=np.int64) for length in lengths]
        columns = self.forecast(panel, rows)
        places, symbol = panel_rows(panel, rows)
        names = np.asarray(panel.symbols, dtype=object)[symbol]
        index = pd.MultiIndex.from_arrays([names, panel.dates[places]], names=["symbol", "date"])
        out = pd.DataFrame(columns, index=index)
        out["basis"] = np.where(self._rows_of(panel) < len(self.symbols), OWN, POOLED)[symbol]
        out["in_sample"] = panel.dates[places] < np.datetime64(self.calibrated_to, "ns")
        return out

    def get_feature_importance(
        self, bars: AnyBars, *, context: AnyContext | None = None, split: Split | None = None, seed: int = 0
    ) -> dict[str, tuple[float, float]]:
        """Return each feature's importance and its standard error, the most important first.

        Importance is how much the validation loss rises when the feature is permuted; see
        :func:`training.predictors.importance.permutation_importance`. The arguments are those of ``fit``.
        """
        self._check_fitted()
        examples, known = self.examples(bars, context=context, split=split), frozenset(self.symbols)
        fitted = tuple(symbol for symbol in examples.panel.symbols if symbol in known)
        if not fitted:
            given = shortened(examples.panel.symbols)
            raise ModelError(f"none of {given} was fitted; this {type(self).__name__} holds {shortened(self.symbols)}.")
        return permutation_importance(self, examples.select(fitted), seed)

    def analyze_feature_contributions(
        self,
        bars: AnyBars,
        symbol: str,
        *,
        context: AnyContext | None = None,
        universe: UniverseTable | None = None,
    ) -> dict[str, float]:
        """Return how much each feature moves the latest forecast of ``symbol``, the largest first.

        In log odds of up against down for direction, in log variance for volatility; see
        :func:`training.predictors.importance.contributions`. The other arguments are those of :meth:`predict`.
        """
        panel = self.panel(bars, context=context, universe=universe).select((symbol,))
        first = self.first_row(panel)
        if len(panel.dates) <= first:
            raise DataError(f"{symbol} has {len(panel.dates)} bars; at least {first + 1} are needed for a forecast.")
        return contributions(self._score, panel, self.window)

    def panel(
        self, bars: AnyBars, *, context: AnyContext | None = None, universe: UniverseTable | None = None
    ) -> Panel:
        """Return the panel of the symbols that can be forecast; the arguments are those of :meth:`predict`."""
        self._check_fitted()
        given, known = listed(bars, self.symbols[0] if len(self.symbols) == 1 else None), frozenset(self.symbols)
        fitted = given if self.forecasts_unseen else [one for one in given if one.symbol in known]
        if not fitted:
            raise ModelError(
                f"there is no model for {shortened([one.symbol for one in given])}; this {type(self).__name__} holds "
                f"{shortened(self.symbols)}. Fit it on them first."
            )
        table, series = self._table(given if universe is None else universe), context_of(context, self.config)
        panel = panel_of(fitted, table, self.config, series, self.feature_names)
        if problem := self.other_period(panel.period):
            raise DataError(f"{shortened(panel.symbols)}: {problem}")
        return panel

    def examples(
        self,
        bars: AnyBars,
        *,
        context: AnyContext | None = None,
        split: Split | None = None,
        rows_of: RowsOf = split_rows,
    ) -> Examples:
        """Return the examples that these bars make; a fitted predictor's have its own features."""
        given = listed(bars, self.symbols[0] if len(self.symbols) == 1 else None)
        table, series = self._table(given) if self.symbols else given, context_of(context, self.config)
        panel = panel_of(given, table, self.config, series, self.feature_names or None)
        if problem := self.other_period(panel.period):
            raise DataError(f"{shortened(panel.symbols)}: {problem}")
        split = split or resolve_split(panel.dates, self.config.split, self.config.section(self.kind).horizon)
        return self.task.examples(panel, split, self.config, rows_of)

    def _table(self, universe: Sequence[SymbolBars] | UniverseTable) -> UniverseTable:
        return universe_as_fitted(universe, self.config.features, self.feature_names, self.universe)
