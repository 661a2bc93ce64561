"""What a trial costs and is worth: a fleet of all sampled symbols, fitted and scored on folds in time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from configs.errors import FleetcastError
from configs.schema import Config
from features.splits import Split
from training.run.queue import blame
from tuning.space import Values, configured
from tuning.task import Task

BASELINE = {"direction": "prior", "volatility": "log_har"}
LOSS = {"direction": "log loss", "volatility": "QLIKE"}

Float = npt.NDArray[np.float64]
Follow = Callable[[int, float], None]


class TrialFailed(FleetcastError):
    """A trial has no score, for the reason that the message gives."""


@dataclass(frozen=True, slots=True, eq=False)
class Score:
    """What one configuration is worth on one fold: a loss a row, with its symbol and date, and the baseline's."""

    symbols: tuple[str, ...]
    symbol: npt.NDArray[np.int64]
    dates: npt.NDArray[np.datetime64]
    loss: Float
    baseline: Float

    def by_symbol(self) -> dict[str, float]:
        """Return each symbol's mean loss; a symbol without rows has none."""
        rows = np.bincount(self.symbol, minlength=len(self.symbols))
        sums = np.bincount(self.symbol, self.loss, minlength=len(self.symbols))
        return {name: float(s / n) for name, s, n in zip(self.symbols, sums, rows, strict=True) if n}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a trial is worth.

    ``loss`` and ``baseline`` are means over the rows of all folds, ``by_symbol`` each symbol's mean loss on each
    fold, ``seconds`` what it took.
    """

    loss: float
    baseline: float
    by_symbol: tuple[dict[str, float], ...]
    seconds: float


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
            They make no model, or one that diverges for some symbol.
        """
        from training.fleet.watch import following

        start, first = time.perf_counter(), _FirstFit(follow)
        config = configured(self.task.config, values)
        with following(first.follow):
            scores = [self.score(config, fold) for fold in self.task.folds]
        loss, baseline = (np.concatenate([getattr(s, name) for s in scores]) for name in ("loss", "baseline"))
        if not math.isfinite(loss.mean()):
            raise TrialFailed(f"the loss is {loss.mean()}")
        seconds = time.perf_counter() - start
        return Outcome(float(loss.mean()), float(baseline.mean()), tuple(s.by_symbol() for s in scores), seconds)

    def judged(self, values: Values) -> Score | TrialFailed:
        """Return the score on the last fold, which no trial sees, or why there is none."""
        try:
            return self.score(configured(self.task.config, values), self.task.last)
        except Exception as error:
            return TrialFailed(blame(error)[0])

    def score(self, config: Config, split: Split) -> Score:
        """Fit on a fold and score on its test part; a symbol without enough rows there is left out, whatever is tried.

        Raises
        ------
        TrialFailed
            No symbol can be fitted, or the fit of one diverges.
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
        if predictor.failures:
            symbol, reason = next(iter(predictor.failures.items()))
            raise TrialFailed(
                f"{len(predictor.failures)} symbols fail; {symbol}: {reason}. If one fails at any settings, leave it "
                "out with --symbols"
            )
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
        )


class _FirstFit:
    """Passes on what the first of several fits tells."""

    def __init__(self, follow: Follow) -> None:
        self._follow, self._fits = follow, 0

    def follow(self, epoch: int, loss: float) -> None:
        self._fits += epoch == 1
        if self._fits == 1 and math.isfinite(loss):
            self._follow(epoch, loss)
