"""What every predictor is: fitted on examples, forecasting any rows of a panel, kept as plain arrays.

A predictor always holds a fleet; one symbol is a fleet of one. Workers, the registry, the serving engine and a person
in a notebook use the same methods. To add a kind of model, subclass :class:`BasePredictor`.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from configs.errors import ConfigError, DataError, ModelError
from configs.schema import Config
from features.bars.schema import SymbolBars
from features.panel import Panel
from features.splits import Split, resolve_split
from features.universe import UniverseFacts, UniverseTable
from training.data.arrays import Arrays, Float
from training.data.examples import Examples, Int64, Part, make_examples, panel_rows
from training.data.windows import Windows
from training.predictors.importance import contributions, permutation_importance
from training.predictors.input_bars import (
    AnyBars,
    AnyContext,
    context_of,
    listed,
    panel_of,
    some,
    universe_as_fitted,
)
from training.tasks import Task, task_of

if TYPE_CHECKING:
    import pandas as pd


OWN, POOLED = "own", "pooled"
_CHUNK = 4096  # windows forecast together: their features take some 50 MB


class BasePredictor(ABC):
    """A fleet of one kind of model, scikit-learn style: ``fit`` bars, then ``predict``.

    Attributes
    ----------
    config
        The run's configuration.
    symbols
        The symbols that are fitted, in row order.
    feature_names
        The panel's columns that the fleet was fitted on.
    universe
        How many symbols the universe had that it was fitted with, and the lag; None where features need no universe.
    failures
        Symbols that could not be fitted, each with its reason; the others are unaffected.

    Examples
    --------
    Every predictor is used the same way, whatever its kind:

    >>> from training import BasePredictor, PriceDirectionPredictor, VolatilityPredictor
    >>> [issubclass(kind, BasePredictor) for kind in (PriceDirectionPredictor, VolatilityPredictor)]
    [True, True]
    """

    kind: ClassVar[str]

    def __init__(self, config: Config | None = None) -> None:
        if config is not None and not isinstance(config, Config):
            raise ConfigError(
                f"{type(self).__name__} was given {config!r:.80}; expected a Config. Make one: load_config()."
            )
        self.config = config or Config()
        self.symbols: tuple[str, ...] = ()
        self.feature_names: tuple[str, ...] = ()
        self.universe: UniverseFacts | None = None
        self.failures: dict[str, str] = {}

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
        self.symbols, self.feature_names, self.universe = (), (), None
        return self.fit_every(self.examples(bars, context=context, split=split))

    def fit_every(self, examples: Examples) -> Self:
        """Fit what symbols share, then every symbol that can be fitted; the others go to ``failures``.

        Raises
        ------
        DataError
            None can be fitted.
        """
        insufficient_data = examples.insufficient_data()
        chosen = examples.select(tuple(symbol for symbol in examples.panel.symbols if symbol not in insufficient_data))
        if chosen.rows:
            self.fit_examples(chosen, self.fit_pooled(chosen))
            self.failures = insufficient_data | self.failures
        if not self.symbols:
            reasons = "; ".join(
                f"{symbol}: {why}" for symbol, why in list((insufficient_data | self.failures).items())[:3]
            )
            raise DataError(f"no symbol can be fitted ({reasons}). Give longer histories, or move the split.")
        return self

    @abstractmethod
    def fit_pooled(self, examples: Examples) -> Arrays:
        """Fit what symbols share on a sample of them, and return it as arrays for :meth:`fit_examples`."""

    @abstractmethod
    def fit_examples(self, examples: Examples, pooled: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Fit every symbol of the examples; symbols that fail go to ``failures`` and are left out of ``symbols``."""

    @abstractmethod
    def forecast_with_baselines(
        self, windows: Windows, symbols: Int64
    ) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Float]]:
        """Return the columns of a forecast, and what it is compared with, for windows of any mix of symbols.

        ``symbols`` (n,) are rows of this fleet. The row after the last stands for symbols that were not fitted, if
        :attr:`forecasts_unseen`.
        """

    def forecast_windows(self, windows: Windows, symbols: Int64) -> dict[str, npt.NDArray[Any]]:
        """Return the columns of :meth:`forecast_with_baselines`."""
        return self.forecast_with_baselines(windows, symbols)[0]

    def forecast(self, panel: Panel, rows: Sequence[Int64]) -> dict[str, npt.NDArray[Any]]:
        """Return the columns for rows of a panel: those of its windows, symbol after symbol.

        ``rows`` holds positions within each symbol of the panel, each at least :meth:`first_row`.
        """
        return joined([self.forecast_windows(*chunk) for chunk in self.chunks(panel, rows)])

    def compare(
        self, panel: Panel, rows: Sequence[Int64]
    ) -> tuple[dict[str, npt.NDArray[Any]], dict[str, npt.NDArray[Any]]]:
        """Return the columns for rows of a panel, and those of what the forecast is compared with."""
        found = [self.forecast_with_baselines(*chunk) for chunk in self.chunks(panel, rows)]
        return joined([columns for columns, _ in found]), joined([others for _, others in found])

    def windows(self, panel: Panel, rows: Sequence[Int64]) -> Windows:
        """Return what a forecast of these rows reads."""
        places, _ = panel_rows(panel, rows)
        return Windows.of(panel.dates[places], panel.features, places, self._series(panel)[places], self.window)

    def chunks(self, panel: Panel, rows: Sequence[Int64]) -> Iterator[tuple[Windows, Int64]]:
        """Yield the windows of these rows and their symbols' rows in this fleet, some thousand together."""
        return panel_chunks(panel, rows, self._rows_of(panel), self._series(panel), self.window)

    def _series(self, panel: Panel) -> Float:
        """Return what forecasts read of a symbol's whole history, (rows, K)."""
        return np.zeros((len(panel.dates), 0))

    @abstractmethod
    def row_losses(self, examples: Examples, part: Part) -> tuple[Float, Int64]:
        """Return the loss of every row of ``train``, ``valid`` or ``test``, and its symbol's position."""

    @abstractmethod
    def to_arrays(self) -> Arrays:
        """Return the fitted state as plain arrays."""

    @abstractmethod
    def _load(self, arrays: Mapping[str, npt.NDArray[Any]], rows: Int64) -> None:
        """Take the state of these rows from arrays of :meth:`to_arrays`."""

    @abstractmethod
    def _score(self, panel: Panel, rows: Sequence[Int64]) -> float:
        """Return one number that summarises one forecast, for contributions."""

    def meta(self) -> dict[str, Any]:
        """Return what :meth:`from_state` needs besides the arrays, as JSON."""
        return {
            "config": self.config.of_models(),
            "feature_names": list(self.feature_names),
            "universe": asdict(self.universe) if self.universe else None,
        }

    @classmethod
    def from_state(
        cls,
        symbols: Sequence[str],
        arrays: Mapping[str, npt.NDArray[Any]],
        meta: Mapping[str, Any],
        only: Sequence[str] | None = None,
    ) -> Self:
        """Rebuild a fitted predictor of ``symbols``, or of ``only`` some of them.

        Raises
        ------
        ModelError
            A symbol is not in the state.
        """
        predictor = cls(Config.model_validate(meta["config"]))
        position = {symbol: i for i, symbol in enumerate(symbols)}
        chosen = tuple(symbols if only is None else only)
        missing = [symbol for symbol in chosen if symbol not in position]
        if missing:
            raise ModelError(f"symbol {missing[0]!r} is not in this model; it holds {some(symbols)}. Train it first.")
        predictor.symbols = chosen
        predictor.feature_names = tuple(meta["feature_names"])
        universe = meta.get("universe")
        predictor.universe = UniverseFacts(**universe) if universe else None
        predictor._load(arrays, np.array([position[symbol] for symbol in chosen], np.int64))
        return predictor

    def predict(
        self, bars: AnyBars, *, context: AnyContext | None = None, universe: UniverseTable | None = None
    ) -> pd.DataFrame:
        """Return a forecast at every bar that completes a window, indexed by ``(symbol, date)``.

        The column ``basis`` is ``own`` for symbols that were fitted. The others are forecast by what all fitted symbols
        share: ``pooled``. Where symbols share nothing (direction's strategy ``per_symbol``) they are left out.

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
                    f"{some(short)} have no forecast: {int(lengths.min())} bars are given, {first + 1} needed",
                    stacklevel=3,
                )
            rows = [np.arange(min(first, length), length, dtype=np.int64) for length in lengths]
        columns = self.forecast(panel, rows)
        places, symbol = panel_rows(panel, rows)
        names = np.asarray(panel.symbols, dtype=object)[symbol]
        index = pd.MultiIndex.from_arrays([names, panel.dates[places]], names=["symbol", "date"])
        out = pd.DataFrame(columns, index=index)
        out["basis"] = np.where(self._rows_of(panel) < len(self.symbols), OWN, POOLED)[symbol]
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
            given = some(examples.panel.symbols)
            raise ModelError(f"none of {given} was fitted; this {type(self).__name__} holds {some(self.symbols)}.")
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
                f"there is no model for {some([one.symbol for one in given])}; this {type(self).__name__} holds "
                f"{some(self.symbols)}. Fit it on them first."
            )
        table, series = self._table(given if universe is None else universe), context_of(context, self.config)
        return panel_of(fitted, table, self.config, series, self.feature_names)

    def examples(self, bars: AnyBars, *, context: AnyContext | None = None, split: Split | None = None) -> Examples:
        """Return the examples that these bars make; a fitted predictor's have its own features."""
        given = listed(bars, self.symbols[0] if len(self.symbols) == 1 else None)
        table, series = self._table(given) if self.symbols else given, context_of(context, self.config)
        panel = panel_of(given, table, self.config, series, self.feature_names or None)
        split = split or resolve_split(panel.dates, self.config.split, self.config.section(self.kind).horizon)
        return make_examples(panel, split, self.config, self.task)

    @property
    def forecasts_unseen(self) -> bool:
        """Whether symbols that were not fitted can be forecast, by what all fitted symbols share."""
        return True

    @property
    def settings(self) -> tuple[Any, ...]:
        """What the forecasts of one fleet have in common, whatever run fitted it."""
        config = self.config
        features = config.features, self.feature_names, self.universe
        return features, config.section(self.kind), config.direction.label, config.run.seed

    @property
    def task(self) -> Task:
        """What this kind of model forecasts."""
        return task_of(self.kind)

    def first_row(self, panel: Panel) -> int:
        """Return the first row of a symbol in such a panel that can have a forecast."""
        return self.task.first_row(panel, self.config)

    @property
    def window(self) -> int:
        """Bars that one forecast looks back on."""
        return self.config.section(self.kind).network.window

    def _table(self, universe: Sequence[SymbolBars] | UniverseTable) -> UniverseTable:
        return universe_as_fitted(universe, self.config.features, self.feature_names, self.universe)

    def _check_fitted(self) -> None:
        if not self.symbols:
            raise ModelError(f"this {type(self).__name__} is not fitted. Call fit(bars) first.")

    def _rows_of(self, panel: Panel) -> Int64:
        """Return each symbol's row in the fleet (S,); of one that was not fitted the row after the last."""
        position = {symbol: i for i, symbol in enumerate(self.symbols)}
        unknown = [symbol for symbol in panel.symbols if symbol not in position]
        if unknown and not self.forecasts_unseen:
            raise ModelError(f"there is no model for {unknown[0]!r}; this one holds {some(self.symbols)}.")
        return np.array([position.get(symbol, len(position)) for symbol in panel.symbols], np.int64)


def joined(parts: Sequence[Mapping[str, npt.NDArray[Any]]]) -> dict[str, npt.NDArray[Any]]:
    """Return columns of consecutive chunks as one."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def panel_chunks(
    panel: Panel, rows: Sequence[Int64], own: Int64, series: Float, window: int
) -> Iterator[tuple[Windows, Int64]]:
    """Yield the windows of rows within each symbol, and ``own`` (S,) of each one's symbol; at least one chunk."""
    places, position = panel_rows(panel, rows)
    for start in range(0, max(len(places), 1), _CHUNK):
        at = places[start : start + _CHUNK]
        yield Windows.of(panel.dates[at], panel.features, at, series[at], window), own[position[start : start + _CHUNK]]
