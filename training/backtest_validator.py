"""``BacktestValidator``: does a model hold through time? For notebooks; the command line has the same."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import pandas as pd

from configs.errors import ModelError, require, shortened
from configs.load import validated
from configs.schema import Config
from features.any_bars import AnyBars, read_bars, warn_of
from features.sources.given import GivenSource
from features.store.parquet import to_frame
from features.store.store import Store, open_store
from training.predictors.bars_predictor import BarsPredictor
from training.predictors.input_bars import AnyContext, context_of
from training.registry.walk_forwards import KindScores, WalkForwardRun, WalkForwards
from training.walk_forward import WalkForward


@dataclass(frozen=True, slots=True, repr=False)
class WalkForwardAnalysis:
    """What a walk-forward run says of one kind of model.

    Attributes
    ----------
    forecasts
        The out-of-sample forecasts of all windows with their baselines and outcomes, by symbol and date.
    metrics
        Over all windows, with errors clustered by day: ``log_loss``, ``log_loss_se``, ``log_loss_vs_prior`` …
    windows
        A row per window: the days of train, valid and test, the number of symbols, and the metrics.
    left_over
        How many of the last dates no window tests.
    fits
        Fits done now; the others were stored by earlier runs.
    run
        The run as the store has it.
    """

    forecasts: pd.DataFrame
    metrics: dict[str, Any]
    windows: pd.DataFrame
    left_over: int
    fits: int
    run: WalkForwardRun

    def __repr__(self) -> str:
        """Return the run, its windows and what was left over."""
        return (
            f"walk-forward run {self.run.name}: {len(self.windows)} windows, {len(self.forecasts)} forecasts of "
            f"{shortened(self.run.symbols)}; {self.left_over} dates left over"
        )


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
        predictor = model() if isinstance(model, type) and issubclass(model, BarsPredictor) else model
        require(predictor, BarsPredictor, "model", "PriceDirectionPredictor, VolatilityPredictor, or one of theirs")
        assert isinstance(predictor, BarsPredictor)
        config = _configured(predictor, {"train_window": train_window, "test_window": test_window, **windows})
        bars, quarantine = read_bars(data, symbol)
        warn_of(quarantine, stacklevel=2)
        walk = WalkForward(config, self.store)
        result = walk.run(walk.prepare(GivenSource(bars, quarantine), context_of(context, config)))
        scores = result.run.kinds[predictor.kind]
        if not any(window.file for window in scores.windows):
            reasons = {why for window in scores.windows for why in (window.failed | window.skipped).values()}
            raise ModelError(f"no symbol could be fitted in any window ({shortened(sorted(reasons), 2)}). Add bars.")
        table = to_frame(WalkForwards(self.store).forecasts(result.run, predictor.kind))
        return WalkForwardAnalysis(
            forecasts=table.set_index(["symbol", "date"]),
            metrics=dict(scores.metrics),
            windows=_windows(scores),
            left_over=result.run.left_over,
            fits=result.fits,
            run=result.run,
        )


def _configured(predictor: BarsPredictor, windows: dict[str, Any]) -> Config:
    """Return a predictor's settings with these windows, for a run of its kind on all symbols given."""
    values = predictor.config.model_dump()
    values["walk_forward"] |= {name: value for name, value in windows.items() if value is not None}
    values["run"]["kinds"] = [predictor.kind]
    values["data"]["symbols"] = []
    values["data"]["bars"] = "given"
    return validated(values, "this walk-forward run")


def _windows(scores: KindScores) -> pd.DataFrame:
    rows = []
    for window in scores.windows:
        days = {
            f"{part}_{end}": day
            for part, days in window.periods.items()
            for end, day in zip(("from", "to"), days, strict=True)
        }
        rows.append({"window": window.number, **days, "symbols": window.symbols, **window.metrics})
    return pd.DataFrame(rows).set_index("window")
