"""``BacktestValidator``: does a model hold through time? For notebooks; the command line has the same."""

from __future__ import annotations

import os
from typing import Any

from configs.errors import ConfigError, ModelError, require
from configs.load import validated
from configs.schema import Config
from configs.strategy import StrategyConfig
from features.any_bars import AnyBars, read_bars, warn_of
from features.sources.given import GivenSource
from features.store.parquet import to_frame
from features.store.store import Store, open_store
from training.backtest import Backtest
from training.backtesting.analysis import WalkForwardAnalysis, windows_of
from training.backtesting.monte_carlo import MonteCarlo
from training.backtesting.result import BacktestResult
from training.backtesting.sources import of_predictor, of_run
from training.predictors.bars_predictor import BarsPredictor
from training.predictors.input_bars import AnyContext, context_of
from training.registry.walk_forwards import WalkForwards
from training.strategy.catalog import catalog
from training.walk_forward import WalkForward, WalkForwardResult


class BacktestValidator:
    """Judges models out of sample.

    Parameters
    ----------
    store
        A path or URI of the folder with finished fits; by default ``FLEETCAST_STORE`` or ``.fleetcast``. The same call
        again fits nothing.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> from features import load_bars
    >>> from training import VolatilityPredictor
    >>> bars = load_bars("embedded", ["AAPL", "IBM"], end="2001-12-31")
    >>> BacktestValidator(mkdtemp()).run_walk_forward_analysis(
    ...     VolatilityPredictor(model_type="har"), bars, train_window=252, test_window=63
    ... ).windows["symbols"].tolist()
    [2, 2, 2]
    """

    def __init__(self, store: Store | str | os.PathLike[str] | None = None) -> None:
        self.store = open_store(store)

    def run_walk_forward_analysis(
        self,
        model: type[BarsPredictor] | BarsPredictor,
        data: AnyBars,
        *,
        train_window: int | None = None,
        test_window: int | None = None,
        symbol: str | None = None,
        context: AnyContext | None = None,
        **windows: Any,
    ) -> WalkForwardAnalysis:
        """Fit a model on each window of the past, and forecast the bars that follow it.

        Parameters
        ----------
        model
            A predictor's class, or a predictor whose settings are used; it is not changed.
        data
            Bars in any form.
        train_window, test_window
            Dates of a fit, and dates that test it; 1000 and 63 by default.
        symbol
            The name of bars that name none.
        context
            Market series, if the settings use any.
        windows
            ``expanding``, ``purge``, ``embargo``, ``refit_every`` of :class:`configs.validation.WalkForwardConfig`.

        Raises
        ------
        DataError
            There are too few dates for one window, or no symbol can be fitted.
        ConfigError
            The model is not a predictor of bars, or a setting is not valid.
        """
        predictor = _predictor(model)
        bars, quarantine = read_bars(data, symbol)
        warn_of(quarantine, stacklevel=2)
        wanted = {"train_window": train_window, "test_window": test_window, **windows}
        result = self._walk(predictor, GivenSource(bars, quarantine), context, wanted)
        scores = result.run.kinds[predictor.kind]
        table = to_frame(WalkForwards(self.store).forecasts(result.run, predictor.kind))
        return WalkForwardAnalysis(
            forecasts=table.set_index(["symbol", "date"]),
            metrics=dict(scores.metrics),
            windows=windows_of(scores),
            left_over=result.run.left_over,
            fits=result.fits,
            run=result.run,
        )

    def run_backtest(
        self,
        model: type[BarsPredictor] | BarsPredictor,
        data: AnyBars,
        symbol: str | None = None,
        *,
        strategy: str | StrategyConfig | None = None,
        train_window: int | None = None,
        test_window: int | None = None,
        context: AnyContext | None = None,
        **settings: Any,
    ) -> BacktestResult:
        """Trade a model's out-of-sample forecasts in a simulated account.

        A fitted model trades the bars whose outcomes it has not seen; a class, or a predictor that is not fitted, is
        fitted walk-forward first, as by :meth:`run_walk_forward_analysis`.

        Parameters
        ----------
        model
            A predictor's class, or a predictor; it is not changed.
        data
            Bars in any form.
        symbol
            The name of bars that name none; of several symbols, the one that is traded.
        strategy
            The name of a strategy, or all its settings; by default the first of the catalog that needs forecasts of
            this kind only.
        train_window, test_window
            Dates of a fit, and dates that test it, if the model is to be fitted; 1000 and 63 by default.
        context
            Market series, if the settings use any.
        settings
            Those of :class:`configs.backtest.BacktestConfig`: ``cash``, ``costs={"preset": "none"}``, ``fill`` …

        Raises
        ------
        DataError
            A fitted model has seen all outcomes of these bars, or there are too few bars for one window.
        ConfigError
            The model is not a predictor of bars, or a setting is not valid.

        Examples
        --------
        >>> from tempfile import mkdtemp
        >>> from features import load_bars
        >>> from training import VolatilityPredictor
        >>> bars = load_bars("embedded", ["AAPL"], end="2005-12-31")
        >>> model = VolatilityPredictor(model_type="har").fit(bars)
        >>> found = BacktestValidator(mkdtemp()).run_backtest(model, bars, symbol="AAPL")
        >>> found.max_drawdown <= 0 < found.volatility
        True
        """
        predictor = _predictor(model)
        only = predictor.symbols[0] if len(predictor.symbols) == 1 else "SYMBOL"
        bars, quarantine = read_bars(data, default_symbol=symbol or only)
        if symbol is not None and len(bars) == 1 and bars[0].symbol != symbol:
            bars, quarantine = read_bars(data, symbol)
        warn_of(quarantine, stacklevel=2)
        if predictor.symbols:
            found = of_predictor(predictor, bars, context)
        else:
            windows = {"train_window": train_window, "test_window": test_window}
            found = of_run(self.store, self._walk(predictor, GivenSource(bars, quarantine), context, windows).run)
        if symbol is not None:
            found = found.only(symbol)
        values = predictor.config.model_dump()
        values["strategy"] = _strategy(strategy, predictor, values["strategy"])
        values["backtest"] |= settings
        return Backtest(validated(values, "this backtest"), self.store).run(found)

    def monte_carlo_validation(
        self, model: type[BarsPredictor] | BarsPredictor, data: AnyBars, num_simulations: int = 100, **options: Any
    ) -> MonteCarlo:
        """Ask whether other times, orders, prices, costs or settings would have done as well as the model.

        ``options`` are those of :meth:`run_backtest`; ``seed`` makes it repeatable and is 0 by default. The result has
        summaries only: intervals of all metrics, a p-value against random timing, and quantiles.

        Raises
        ------
        ConfigError
            ``num_simulations`` is below 1; otherwise as :meth:`run_backtest`.
        """
        if isinstance(num_simulations, bool) or not isinstance(num_simulations, int) or num_simulations < 1:
            raise ConfigError(f"num_simulations has value {num_simulations!r}; expected a whole number of at least 1.")
        result = self.run_backtest(model, data, **options, simulations=num_simulations)
        assert result.simulated is not None
        return result.simulated

    def _walk(
        self, predictor: BarsPredictor, source: GivenSource, context: AnyContext | None, windows: dict[str, Any]
    ) -> WalkForwardResult:
        config = _configured(predictor, windows)
        walk = WalkForward(config, self.store)
        result = walk.run(walk.prepare(source, context_of(context, config)))
        scores = result.run.kinds[predictor.kind]
        if scores.why_empty is not None:
            raise ModelError(f"{scores.why_empty}. Add bars.")
        return result


def _predictor(model: type[BarsPredictor] | BarsPredictor) -> BarsPredictor:
    predictor = model() if isinstance(model, type) and issubclass(model, BarsPredictor) else model
    require(predictor, BarsPredictor, "model", "PriceDirectionPredictor, VolatilityPredictor, or one of theirs")
    assert isinstance(predictor, BarsPredictor)
    return predictor


def _strategy(
    strategy: str | StrategyConfig | None, predictor: BarsPredictor, values: dict[str, Any]
) -> dict[str, Any]:
    if isinstance(strategy, StrategyConfig):
        return strategy.model_dump()
    if strategy is None:
        strategy = next(spec.name for spec in catalog().values() if spec.needs == {predictor.kind})
    return values | {"name": strategy}


def _configured(predictor: BarsPredictor, windows: dict[str, Any]) -> Config:
    """Return a predictor's settings with these windows, for a run of its kind on all symbols given."""
    values = predictor.config.model_dump()
    values["walk_forward"] |= {name: value for name, value in windows.items() if value is not None}
    values["run"]["kinds"] = [predictor.kind]
    values["data"]["symbols"] = []
    values["data"]["bars"] = "given"
    return validated(values, "this walk-forward run")
