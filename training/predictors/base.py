"""What every predictor is: fitted on examples, forecasting any rows of a panel, kept as plain arrays.

A predictor always holds a fleet; one symbol is a fleet of one. Workers, the registry, the serving engine and a person
in a notebook use the same methods. To add a kind of model, subclass :class:`BasePredictor`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from configs.errors import DataError, ModelError
from configs.schema import Config
from features.bars import SymbolBars, bars_from_frame
from features.context import MarketContext
from features.engineer import build_panel
from features.panel import Panel
from features.splits import Split, resolve_split
from features.universe import UniverseTable
from features.universe_build import build_universe
from training.examples import Examples, make_examples

if TYPE_CHECKING:
    import pandas as pd

Int64 = npt.NDArray[np.int64]
Float = npt.NDArray[np.float64]
Arrays = dict[str, npt.NDArray[Any]]
Bars = "pd.DataFrame | SymbolBars | Sequence[SymbolBars]"


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
    failures
        Symbols that could not be fitted, each with its reason; the others are unaffected.
    """

    kind: ClassVar[str]

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or Config()
        self.symbols: tuple[str, ...] = ()
        self.feature_names: tuple[str, ...] = ()
        self.failures: dict[str, str] = {}
        self._context: MarketContext | None = None

    def fit(
        self,
        bars: pd.DataFrame | SymbolBars | Sequence[SymbolBars],
        *,
        context: MarketContext | None = None,
        split: Split | None = None,
    ) -> Self:
        """Fit every symbol in these bars.

        Parameters
        ----------
        bars
            A frame in any common spelling (one symbol or many), or validated bars.
        context
            Market series for the context features; give the same to ``predict``.
        split
            Train, validation and test dates; by default the configuration's. Test rows are never touched.

        Raises
        ------
        DataError
            No symbol has enough bars.
        """
        panel = self._panel(bars, context, columns=None)
        section = self.config.direction if self.kind == "direction" else self.config.volatility
        split = split or resolve_split(panel.dates, self.config.split, section.horizon)
        examples = make_examples(panel, split, self.config, self.kind)
        unfit = examples.unfit()
        fit = tuple(symbol for symbol in panel.symbols if symbol not in unfit)
        if not fit:
            reasons = "; ".join(f"{symbol}: {reason}" for symbol, reason in list(unfit.items())[:3])
            raise DataError(f"no symbol can be fitted ({reasons}). Give longer histories, or move the split.")
        chosen = examples.select(fit)
        self.fit_examples(chosen, self.fit_pooled(chosen))
        self.failures = unfit | self.failures
        return self

    @abstractmethod
    def fit_pooled(self, examples: Examples) -> Arrays:
        """Fit what symbols share on a sample of them, and return it as arrays for :meth:`fit_examples`."""

    @abstractmethod
    def fit_examples(self, examples: Examples, pooled: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Fit every symbol of the examples; symbols that fail go to ``failures`` and are left out of ``symbols``."""

    @abstractmethod
    def forecast(self, panel: Panel, rows: Sequence[Int64]) -> dict[str, npt.NDArray[Any]]:
        """Return named columns for rows of a panel whose symbols are among ``symbols``.

        ``rows`` holds positions within each symbol of the panel; results are stacked symbol after symbol.
        """

    @abstractmethod
    def row_losses(self, examples: Examples, part: str) -> tuple[Float, Int64]:
        """Return the loss of every row of ``train``, ``valid`` or ``test``, and its symbol's position."""

    @abstractmethod
    def to_arrays(self) -> Arrays:
        """Return the fitted state as plain arrays."""

    @abstractmethod
    def _load(self, arrays: Mapping[str, npt.NDArray[Any]], rows: Int64) -> None:
        """Take the state of these rows from arrays of :meth:`to_arrays`."""

    def meta(self) -> dict[str, Any]:
        """Return what :meth:`from_state` needs besides the arrays, as JSON."""
        return {"config": self.config.model_dump(mode="json"), "feature_names": list(self.feature_names)}

    @classmethod
    def from_state(
        cls,
        symbols: Sequence[str],
        arrays: Mapping[str, npt.NDArray[Any]],
        meta: Mapping[str, Any],
        only: Sequence[str] | None = None,
    ) -> Self:
        """Rebuild a fitted predictor of ``symbols``, or of ``only`` some of them."""
        predictor = cls(Config.model_validate(meta["config"]))
        position = {symbol: i for i, symbol in enumerate(symbols)}
        chosen = tuple(symbols if only is None else only)
        missing = [symbol for symbol in chosen if symbol not in position]
        if missing:
            raise ModelError(f"symbol {missing[0]!r} is not in this model, which holds {len(position)} others.")
        predictor.symbols = chosen
        predictor.feature_names = tuple(meta["feature_names"])
        predictor._load(arrays, np.array([position[symbol] for symbol in chosen], np.int64))
        return predictor

    def predict_panel(self, panel: Panel, rows: Sequence[Int64] | None = None) -> pd.DataFrame:
        """Return forecasts indexed by ``(symbol, date)``: of these rows, or of every complete window."""
        import pandas as pd

        unknown = [symbol for symbol in panel.symbols if symbol not in self.symbols]
        if unknown:
            known = ", ".join(self.symbols[:5])
            raise ModelError(f"no model for {unknown[0]!r}; this predictor was fitted on {known}. Fit it first.")
        if rows is None:
            first = panel.warmup + self.window - 1
            lengths = np.diff(panel.offsets)
            rows = [np.arange(min(first, length), length, dtype=np.int64) for length in lengths]
        columns = self.forecast(panel, rows)
        places = np.concatenate([panel.offsets[i] + part for i, part in enumerate(rows)]) if len(rows) else []
        names = np.repeat(np.asarray(panel.symbols, dtype=object), [len(part) for part in rows])
        index = pd.MultiIndex.from_arrays([names, panel.dates[places]], names=["symbol", "date"])
        return pd.DataFrame(columns, index=index)

    def predict(
        self, bars: pd.DataFrame | SymbolBars | Sequence[SymbolBars], *, context: MarketContext | None = None
    ) -> pd.DataFrame:
        """Return a forecast at every bar that completes a window, indexed by ``(symbol, date)``.

        Cross-asset features are computed over all symbols given here, so pass the same universe as to ``fit``;
        symbols that were not fitted have no forecast.
        """
        self._check_fitted()
        panel = self._panel(bars, context, columns=self.feature_names)
        return self.predict_panel(panel.select(tuple(s for s in panel.symbols if s in self.symbols) or panel.symbols))

    def get_feature_importance(self, examples: Examples, seed: int = 0) -> dict[str, tuple[float, float]]:
        """Return, per feature, how much the validation loss rises when the feature is permuted, and its standard error.

        Values are permuted within each symbol's validation windows, so the feature keeps its distribution and loses its
        timing (Breiman 2001, §10). Sorted by importance; the error is over symbols (over rows where there is one).
        """
        self._check_fitted()
        base, symbol = self.row_losses(examples, "valid")
        rng = np.random.default_rng(seed)
        places = []
        for i, rows in enumerate(examples.rows):
            first = int(rows.valid[0]) - self.window + 1
            places.append(np.arange(first, int(rows.valid[-1]) + 1) + examples.panel.offsets[i])
        order = [rng.permutation(part) for part in places]
        out = {}
        for column, name in enumerate(examples.panel.feature_names):
            features = examples.panel.features.copy()
            for part, mixed in zip(places, order, strict=True):
                features[part, column] = examples.panel.features[mixed, column]
            permuted = replace(examples, panel=replace(examples.panel, features=features))
            rise = self.row_losses(permuted, "valid")[0] - base
            if len(examples.rows) > 1:
                rise = np.bincount(symbol, rise) / np.maximum(np.bincount(symbol), 1)
            out[name] = (float(rise.mean()), float(rise.std(ddof=1) / np.sqrt(len(rise))))
        return dict(sorted(out.items(), key=lambda item: -item[1][0]))

    def analyze_feature_contributions(
        self,
        bars: pd.DataFrame | SymbolBars | Sequence[SymbolBars],
        symbol: str,
        *,
        context: MarketContext | None = None,
    ) -> dict[str, float]:
        """Return how much each feature moves the latest forecast of ``symbol`` away from its training average.

        A feature's contribution is the forecast as it is less the forecast with that feature at its training centre
        over the whole window (occlusion): in log odds of up against down for direction, in log variance for
        volatility. Sorted by size.
        """
        self._check_fitted()
        panel = self._panel(bars, context, columns=self.feature_names).select((symbol,))
        last = [np.array([len(panel.dates) - 1], np.int64)]
        actual = self._score(panel, last)
        out = {}
        for column, name in enumerate(panel.feature_names):
            features = panel.features.copy()
            features[-self.window :, column] = np.nan
            out[name] = actual - self._score(replace(panel, features=features), last)
        return dict(sorted(out.items(), key=lambda item: -abs(item[1])))

    @abstractmethod
    def _score(self, panel: Panel, rows: Sequence[Int64]) -> float:
        """Return one number that summarises one forecast, for contributions."""

    @property
    def window(self) -> int:
        """Bars that one forecast looks back on."""
        section = self.config.direction if self.kind == "direction" else self.config.volatility
        return section.network.window

    def _check_fitted(self) -> None:
        if not self.symbols:
            raise ModelError(f"this {type(self).__name__} is not fitted. Call fit(bars) first.")

    def _rows_of(self, panel: Panel) -> Int64:
        position = {symbol: i for i, symbol in enumerate(self.symbols)}
        return np.array([position[symbol] for symbol in panel.symbols], np.int64)

    def _panel(
        self,
        bars: pd.DataFrame | SymbolBars | Sequence[SymbolBars],
        context: MarketContext | None,
        columns: Sequence[str] | None,
    ) -> Panel:
        if isinstance(bars, SymbolBars):
            given: list[SymbolBars] = [bars]
        elif isinstance(bars, Sequence):
            given = list(bars)
        else:
            given, _ = bars_from_frame(bars, "SYMBOL")
        universe: UniverseTable = build_universe(given, self.config.features)
        return build_panel(given, self.config.features, universe, context, self.config.direction.label, columns=columns)


def prefixed(prefix: str, arrays: Mapping[str, npt.NDArray[Any]]) -> Arrays:
    """Return arrays under ``prefix/``."""
    return {f"{prefix}/{key}": value for key, value in arrays.items()}


def part_of(arrays: Mapping[str, npt.NDArray[Any]], prefix: str) -> Arrays:
    """Return the arrays under ``prefix/``, without it."""
    return {key.removeprefix(f"{prefix}/"): value for key, value in arrays.items() if key.startswith(f"{prefix}/")}
