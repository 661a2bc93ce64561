"""What a trial costs and is worth: a fleet of all sampled symbols, fitted and scored on folds in time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from configs.errors import FleetcastError
from configs.schema import Config
from features.splits import Split
from training.run.queue import blame
from tuning.score import Outcome, Score
from tuning.space import Values, configured
from tuning.task import Task

BASELINE = {"direction": "prior", "volatility": "log_har"}
LOSS = {"direction": "log loss", "volatility": "QLIKE"}

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
            They make no model of any symbol.
        """
        from training.fleet.watch import following

        start, first = time.perf_counter(), _FirstFit(follow)
        config = configured(self.task.config, values)
        with following(first.follow):
            scores = [self.score(config, fold) for fold in self.task.folds]
        outcome = Outcome.of(scores, self.task.horizon, time.perf_counter() - start)
        if not math.isfinite(outcome.loss):
            raise TrialFailed(f"the loss is {outcome.loss}")
        return outcome

    def judged(self, values: Values) -> Score | TrialFailed:
        """Return the score on the last fold, which no trial sees, or why there is none."""
        try:
            return self.score(configured(self.task.config, values), self.task.last)
        except Exception as error:
            return TrialFailed(blame(error)[0])

    def score(self, config: Config, split: Split) -> Score:
        """Fit on a fold and score on its test part; a symbol without enough rows there is left out, whatever is tried.

        One whose fit fails with these settings is told in the score, and costs the others nothing.

        Raises
        ------
        TrialFailed
            No symbol can be fitted.
        """
        from training.evaluation.evaluate import evaluate  # here, so that a driver need not load TensorFlow
        from training.examples import make_examples
        from training.fleet.backend import use_threads
        from training.predictors import predictor_class

        if self.threads is not None:
            use_threads(self.threads)
        kind = self.task.kind
        examples = make_examples(self.task.panel, split, config, kind)
        skipped = examples.unfit()
        fitted = examples.select(tuple(name for name in self.task.panel.symbols if name not in skipped))
        if not fitted.rows:
            raise TrialFailed(f"no symbol can be fitted; {next(iter(skipped.values()))}")
        predictor = predictor_class(kind)(config)
        predictor.fit_examples(fitted, predictor.fit_pooled(fitted))
        failed = dict(predictor.failures)
        if not predictor.symbols:
            symbol, reason = next(iter(failed.items()))
            raise TrialFailed(f"all {len(failed)} symbols fail; {symbol}: {reason}")
        table = evaluate(predictor, fitted).table
        if table is None:
            raise TrialFailed("no symbol has rows in the part that is scored")
        columns: dict[str, Any] = {
            name: table.column(name).to_numpy() for name in ("date", "loss", f"loss_{BASELINE[kind]}")
        }
        symbol = table.column("symbol").combine_chunks()
        return Score(
            tuple(symbol.dictionary.to_pylist()),
            symbol.indices.to_numpy().astype(np.int64),
            columns["date"],
            columns["loss"].astype(np.float64),
            columns[f"loss_{BASELINE[kind]}"].astype(np.float64),
            failed,
            sum(
                len(rows)
                for name, rows in zip(fitted.panel.symbols, fitted.part("test"), strict=True)
                if name in failed
            ),
        )


class _FirstFit:
    """Passes on what the first of several fits tells."""

    def __init__(self, follow: Follow) -> None:
        self._follow, self._fits = follow, 0

    def follow(self, epoch: int, loss: float) -> None:
        self._fits += epoch == 1
        if self._fits == 1 and math.isfinite(loss):
            self._follow(epoch, loss)
