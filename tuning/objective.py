"""The objective of a sweep: fit a fleet of all sampled symbols on each fold, and score its forecasts."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from configs.errors import FleetcastError
from configs.schema import Config
from configs.values import Kind
from features.splits import Split
from training.models.fleet.threads import use_threads
from training.models.fleet.watch import following
from training.predictors import predictor_class
from training.run.queue import classify_error
from training.tasks import task_of
from training.validation.evaluate import evaluate
from tuning.score import Outcome, Score
from tuning.space import Values, configured
from tuning.sweep_task import SweepTask

OnEpoch = Callable[[int, float], None]


class TrialFailed(FleetcastError):
    """A trial has no score; the message gives the reason."""


@dataclass(frozen=True, slots=True)
class Objective:
    """Fits and scores a trial's values: ``objective(values, on_epoch)``, on all folds that score trials.

    ``on_epoch(epoch, validation loss)`` is called after every epoch of the first fit only, because losses of different
    folds do not compare; an exception that it raises ends the trial. ``threads`` is the number of threads of a fit;
    None leaves it to TensorFlow.
    """

    task: SweepTask
    threads: int | None = None

    def __call__(self, values: Values, on_epoch: OnEpoch = lambda epoch, loss: None) -> Outcome:
        """Return the outcome of a trial with these values.

        Raises
        ------
        ConfigError
            The values do not make a valid configuration.
        TrialFailed
            A symbol has no model with these values, but has one with the default settings.
        """
        start, first = time.perf_counter(), _FirstFit(on_epoch)
        config = configured(self.task.config, values)
        with following(first.on_epoch):
            scores = [self.score(config, fold) for fold in self.task.folds]
        return Outcome.of(scores, self.task.horizon, time.perf_counter() - start)

    def score_last_fold(self, values: Values) -> Score | TrialFailed:
        """Return the score on the last fold, which scores no trial, or the reason why there is none."""
        try:
            return self.score(configured(self.task.config, values), self.task.last)
        except Exception as error:
            return TrialFailed(classify_error(error)[0])

    def score(self, config: Config, split: Split) -> Score:
        """Fit on a fold and score its test part. Symbols with too few rows to fit are left out.

        A symbol that has no model with the default settings either is listed in the score's ``failed``.

        Raises
        ------
        TrialFailed
            A symbol has no model although the default settings make one, or no symbol has a model.
        """
        score = self._score(config, split)
        if not score.failed or config == self.task.config:
            return score
        failed_by_default = self._score(_one_epoch(self.task.config, self.task.kind), split).failed
        if lost := {symbol: why for symbol, why in score.failed.items() if symbol not in failed_by_default}:
            symbol, why = next(iter(lost.items()))
            more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
            raise TrialFailed(f"no model of {symbol}{more}, where the default settings make one: {why}")
        return score

    def _score(self, config: Config, split: Split) -> Score:
        if self.threads is not None:
            use_threads(self.threads)
        kind = self.task.kind
        examples = task_of(kind).examples(self.task.panel, split, config)
        skipped = examples.insufficient_data()
        fitted = examples.select(tuple(name for name in self.task.panel.symbols if name not in skipped))
        if not fitted.rows:
            raise TrialFailed(f"no symbol can be fitted; {next(iter(skipped.values()))}")
        predictor = predictor_class(kind)(config)
        predictor.fit_examples(fitted, predictor.fit_pooled(fitted))
        if not predictor.symbols:
            symbol, reason = next(iter(predictor.failures.items()))
            raise TrialFailed(f"all {len(predictor.failures)} symbols fail; {symbol}: {reason}")
        table = evaluate(predictor, fitted).table
        if table is None:
            raise TrialFailed("no symbol has rows in the part that is scored")
        return _finite_score(table, kind, predictor.failures)


def _one_epoch(config: Config, kind: Kind) -> Config:
    """Return a configuration whose fits take one epoch: enough to find symbols whose losses are never finite."""
    return configured(config, {f"{kind}.fit.epochs": 1, f"{kind}.fit.pooled_epochs": 1})


def _finite_score(table: pa.Table, kind: Kind, failed: Mapping[str, str]) -> Score:
    """Return the score of a table of forecasts; symbols with a loss that is not finite count as failed."""
    names = table.column("symbol").combine_chunks()
    symbols, symbol = tuple(names.dictionary.to_pylist()), names.indices.to_numpy().astype(np.int64)
    dates = table.column("date").to_numpy()
    loss, baseline = (
        table.column(name).to_numpy().astype(np.float64) for name in ("loss", f"loss_{task_of(kind).baseline}")
    )
    bad = np.unique(symbol[~(np.isfinite(loss) & np.isfinite(baseline))])
    good = ~np.isin(symbol, bad)
    failed = {**failed, **{symbols[i]: "its losses on the rows that are scored are not finite" for i in bad}}
    if not good.any():
        raise TrialFailed("no symbol has a finite loss on the rows that are scored")
    return Score(symbols, symbol[good], dates[good], loss[good], baseline[good], failed)


class _FirstFit:
    """Forwards the epochs of the first of several fits."""

    def __init__(self, on_epoch: OnEpoch) -> None:
        self._on_epoch, self._fits = on_epoch, 0

    def on_epoch(self, epoch: int, loss: float) -> None:
        self._fits += epoch == 1
        if self._fits == 1 and math.isfinite(loss):
            self._on_epoch(epoch, loss)
