"""What a trial costs and is worth: a fleet of all sampled symbols, fitted and scored on folds in time."""

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
from training.run.queue import classify_error
from training.tasks import task_of
from tuning.score import Outcome, Score
from tuning.space import Values, configured
from tuning.task import Task

Follow = Callable[[int, float], None]


class TrialFailed(FleetcastError):
    """A trial has no score, for the reason that the message gives."""


@dataclass(frozen=True, slots=True)
class Objective:
    """Calls fit and score: ``objective(values, follow)`` on all folds that score trials.

    ``follow(epoch, validation loss)`` is called after every epoch of the first fit, and what it raises ends the trial:
    losses of later folds do not compare with those of the first, and a trial that lags has done so there already.
    ``threads`` are what a fit uses of the machine; None leaves that to TensorFlow.
    """

    task: Task
    threads: int | None = None

    def __call__(self, values: Values, follow: Follow = lambda epoch, loss: None) -> Outcome:
        """Return what a trial's values are worth.

        Raises
        ------
        ConfigError
            They make no valid configuration.
        TrialFailed
            They make no model of some symbol that the default settings have one of.
        """
        from training.models.fleet.watch import following

        start, first = time.perf_counter(), _FirstFit(follow)
        config = configured(self.task.config, values)
        with following(first.follow):
            scores = [self.score(config, fold) for fold in self.task.folds]
        return Outcome.of(scores, self.task.horizon, time.perf_counter() - start)

    def judged(self, values: Values) -> Score | TrialFailed:
        """Return the score on the last fold, which no trial sees, or why there is none."""
        try:
            return self.score(configured(self.task.config, values), self.task.last)
        except Exception as error:
            return TrialFailed(classify_error(error)[0])

    def score(self, config: Config, split: Split) -> Score:
        """Fit on a fold and score on its test part; a symbol without enough rows there is left out, whatever is tried.

        One that the default settings make no model of either costs the others nothing: the score tells it.

        Raises
        ------
        TrialFailed
            Another symbol has no model, or none has.
        """
        score = self._scored(config, split)
        if not score.failed or config == self.task.config:
            return score
        excused = self._scored(_brief(self.task.config, self.task.kind), split).failed
        if lost := {symbol: why for symbol, why in score.failed.items() if symbol not in excused}:
            symbol, why = next(iter(lost.items()))
            more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
            raise TrialFailed(f"no model of {symbol}{more}, where the default settings make one: {why}")
        return score

    def _scored(self, config: Config, split: Split) -> Score:
        from training.models.fleet.backend import use_threads
        from training.validation.evaluate import evaluate  # here, so that a driver need not load TensorFlow

        if self.threads is not None:
            use_threads(self.threads)
        kind = self.task.kind
        examples = task_of(kind).examples(self.task.panel, split, config)
        skipped = examples.insufficient_data()
        fitted = examples.select(tuple(name for name in self.task.panel.symbols if name not in skipped))
        if not fitted.rows:
            raise TrialFailed(f"no symbol can be fitted; {next(iter(skipped.values()))}")
        predictor = task_of(kind).predictor(config)
        predictor.fit_examples(fitted, predictor.fit_pooled(fitted))
        if not predictor.symbols:
            symbol, reason = next(iter(predictor.failures.items()))
            raise TrialFailed(f"all {len(predictor.failures)} symbols fail; {symbol}: {reason}")
        table = evaluate(predictor, fitted).table
        if table is None:
            raise TrialFailed("no symbol has rows in the part that is scored")
        return _finite(table, kind, predictor.failures)


def _brief(config: Config, kind: Kind) -> Config:
    """Return settings of which every fit has one epoch: enough to see whose losses are never finite."""
    fits = {f"{kind}.fit.epochs": 1, f"{kind}.fit.pooled_epochs": 1}
    return configured(config, fits)


def _finite(table: pa.Table, kind: Kind, failed: Mapping[str, str]) -> Score:
    """Return the score that a table of forecasts holds, without symbols whose losses are not finite."""
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
    """Passes on what the first of several fits tells."""

    def __init__(self, follow: Follow) -> None:
        self._follow, self._fits = follow, 0

    def follow(self, epoch: int, loss: float) -> None:
        self._fits += epoch == 1
        if self._fits == 1 and math.isfinite(loss):
            self._follow(epoch, loss)
