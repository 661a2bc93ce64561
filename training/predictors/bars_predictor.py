"""Public interface of a fleet: ``fit`` and ``predict`` on bars or features.

To add a kind of model, subclass :class:`BarsPredictor` and add a module to :mod:`training.tasks`.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import pandas as pd

from configs.errors import ModelError, require, shortened
from configs.schema import Config
from features.any_bars import AnyBars
from features.bars.period import BarPeriod
from features.engineer import EngineeredFeatures
from features.panel import Panel
from features.splits import Split
from features.universe import UniverseTable
from training.data.arrays import Arrays, Stored
from training.data.examples import Examples, Int64, panel_rows
from training.predictors.base import BasePredictor
from training.predictors.explained import Explained
from training.predictors.feature_frames import refuse_unlabelled
from training.predictors.forecast_frames import Forecasts
from training.predictors.input_bars import AnyContext
from training.predictors.keywords import configured
from training.predictors.scored import Scored

OWN, POOLED = "own", "pooled"


class BarsPredictor(Explained, Scored, BasePredictor):
    """A fleet of one kind of model, scikit-learn style: ``fit`` bars, then ``predict``.

    Parameters
    ----------
    config
        The run's configuration; the keywords change its settings of this kind, None leaves one as it is.
    horizon
        Bars ahead.
    sequence_length
        Bars that the network looks back on.
    lstm_units, num_layers
        Units of each LSTM layer, and how many layers.
    dropout_rate
        Share of inputs that are dropped while fitting.
    use_attention
        Whether multi-head attention follows the layers.
    """

    def __init__(
        self,
        config: Config | None = None,
        *,
        horizon: int | None = None,
        sequence_length: int | None = None,
        lstm_units: int | Sequence[int] | None = None,
        num_layers: int | None = None,
        dropout_rate: float | None = None,
        use_attention: bool | None = None,
        **others: Any,
    ) -> None:
        self._settings = {
            "horizon": horizon,
            "sequence_length": sequence_length,
            "lstm_units": lstm_units,
            "num_layers": num_layers,
            "dropout_rate": dropout_rate,
            "use_attention": use_attention,
            **others,
        }
        self._given = {"config": config, **self._settings}
        self.check_parameters(others)
        super().__init__(self._configured())

    def fit(
        self,
        bars: AnyBars | EngineeredFeatures,
        target: Any = None,
        *,
        symbol: str | None = None,
        context: AnyContext | None = None,
        split: Split | None = None,
    ) -> Self:
        """Fit every symbol in these bars; or, as in scikit-learn, ``fit(X, y)``: features and labels.

        Time is split inside: models are fitted on train rows, chosen and calibrated on later validation rows, with the
        rows between them purged, and the test rows of ``config.split`` are never touched.

        Parameters
        ----------
        bars
            Bars in any form (:data:`features.any_bars.AnyBars`), or a frame of features indexed by date or by
            ``(symbol, date)``, in order of time.
        target
            The labels of features, one per row: 0 down, 1 sideways, 2 up, or these names; −1 where not known yet. They
            look as many bars ahead as the model's horizon.
        symbol
            The name of bars or features that name none; ``SYMBOL`` by default.
        context
            Market series for the context features, in long form (``date, series, value``) or as made of it by
            :meth:`.MarketContext.from_frame`; give the same to ``predict``.
        split
            Train, validation and test dates; by default the configuration's. Test rows are never touched.

        Raises
        ------
        DataError
            The input cannot be used, no symbol has enough bars, or none could be fitted.

        Warns
        -----
        UserWarning
            Nothing shows how many bars the labels look ahead.
        """
        require(split, (Split, type(None)), "split", "a Split, as features.resolve_split makes")
        self.reset()
        if isinstance(bars, EngineeredFeatures):
            bars, target = bars.features, bars.target
        if target is None:
            refuse_unlabelled(bars)
            examples = self.examples(bars, symbol=symbol, context=context, split=split)
        else:
            examples = self.examples_of(bars, target, symbol, split, self._horizon_given)
        return self.fit_made(examples)

    def fit_part(self, part: str, examples: Examples, tested: Stored | None) -> Arrays:
        """Fit one of the parts that :meth:`.Task.slow_parts` lists; ``tested`` is the same part of an earlier fit."""
        raise NotImplementedError(f"{self.kind} models have no part {part!r}")

    def fit_from_parts(self, examples: Examples, tested: Stored | None, parts: Sequence[Stored]) -> Arrays:
        """Fit what symbols share as :meth:`fit_pooled` does; ``parts``, if any, are results of :meth:`fit_part`."""
        return self.fit_pooled(examples, tested)

    def refit(
        self,
        bars: AnyBars,
        *,
        symbol: str | None = None,
        context: AnyContext | None = None,
        split: Split | None = None,
    ) -> Self:
        """Refit on all rows of these bars, including the test period, with the hyperparameters that :meth:`fit` chose.

        Return a new predictor. Features, ridge, epochs and the shrinkage of a network's correction stay those of
        :meth:`fit` in this process; calibration is of each symbol's newest rows, as many as the split has for
        validation. Evaluate the model before, on the test rows of :meth:`fit`: afterwards none is left. Give the same
        bars and arguments as to it.

        Raises
        ------
        ModelError
            This predictor was not fitted, or it was loaded.
        """
        self._check_fitted()
        if self._fitted_pool is None:
            raise ModelError(f"this {type(self).__name__} was loaded. Call fit(bars) first: refit repeats its choices.")
        examples = self.examples(bars, symbol=symbol, context=context, split=split, newest=True)
        return type(self)(self.config).fit_every(examples, self)

    def fit_made(self, examples: Examples) -> Self:
        """Fit examples that :meth:`examples` of a predictor with the same settings made."""
        self._examples = examples
        return self.fit_every(examples)

    def reset(self) -> None:
        """Forget what was fitted."""
        self.config, self.failures = self._configured(), {}
        self.symbols, self.feature_names, self.universe, self.own_features = (), (), None, False
        self.period = BarPeriod()

    def predict(
        self,
        bars: AnyBars,
        *,
        symbol: str | None = None,
        context: AnyContext | None = None,
        universe: UniverseTable | None = None,
    ) -> Forecasts:
        """Return a forecast at every bar that completes a window, indexed by ``(symbol, date)``.

        The column ``basis`` is ``own`` for symbols that were fitted. The others are forecast by what all fitted symbols
        share: ``pooled``. Where symbols share nothing (direction's strategy ``per_symbol``) they are left out.
        ``in_sample`` marks bars before :attr:`calibrated_to`: their outcomes were used in fitting, so a score on them
        says nothing.

        Parameters
        ----------
        bars
            Cross-asset features are relative to all symbols given here, so give the same as to ``fit``. A model that
            reads features only also takes a frame of them.
        symbol
            The name of bars that name none.
        universe
            A table of bars (:func:`features.build_universe`), to forecast a few symbols of a large universe.
        context
            The market series that were given to ``fit``.

        Raises
        ------
        ModelError
            Nothing is fitted, or symbols share nothing and none of these is fitted.
        DataError
            The bars or features cannot be read.

        Warns
        -----
        UserWarning
            Less than half of the universe is given, so cross-asset features count as missing; or a symbol has too few
            bars for a forecast.
        """
        return self.predict_panel(self.panel(bars, symbol=symbol, context=context, universe=universe))

    def predict_panel(self, panel: Panel, rows: Sequence[Int64] | None = None) -> Forecasts:
        """Return forecasts indexed by ``(symbol, date)``: of these rows, or of every complete window."""
        if rows is None:
            first, lengths = self.first_row(panel), np.diff(panel.offsets)
            if short := [symbol for symbol, n in zip(panel.symbols, lengths, strict=True) if n <= first]:
                warnings.warn(
                    f"{shortened(short)} have no forecast: {int(lengths.min())} bars are given, {first + 1} needed",
                    stacklevel=3,
                )
            rows = [np.arange(min(first, length), length, dtype=np.int64) for length in lengths]
        columns = self.forecast(panel, rows)
        at, symbol = panel_rows(panel, rows)
        names = np.asarray(panel.symbols, dtype=object)[symbol]
        index = pd.MultiIndex.from_arrays([names, panel.dates[at]], names=["symbol", "date"])
        out = Forecasts(columns, index=index)
        out["basis"] = np.where(self._rows_of(panel) < len(self.symbols), OWN, POOLED)[symbol]
        out["in_sample"] = panel.dates[at] < np.datetime64(self.calibrated_to, "ns")
        return out

    @property
    def _horizon_given(self) -> bool:
        """Whether a person chose the horizon: as a keyword, or as a configuration other than the default."""
        default = Config().section(self.kind).horizon
        return self._settings["horizon"] is not None or self.config.section(self.kind).horizon != default

    def _configured(self) -> Config:
        return configured(self._given["config"], self.kind, self._settings, type(self).__name__)
