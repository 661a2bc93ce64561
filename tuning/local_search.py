"""Search in this process with Optuna alone, one trial after the other."""

from __future__ import annotations

import time
from collections.abc import Callable

from optuna import TrialPruned
from optuna.pruners import NopPruner, SuccessiveHalvingPruner
from optuna.trial import Trial

from training.run.queue import classify_error
from tuning.objective import Objective
from tuning.study import SweepStudy

GRACE = 2  # epochs before the first trial can be ended


def search_locally(
    study: SweepStudy,
    objective: Objective,
    seconds: float | None = None,
    on_trial_end: Callable[[], None] = lambda: None,
) -> None:
    """Run the remaining trials of a study; after ``seconds`` no further trial starts."""
    config = study.config
    halving = SuccessiveHalvingPruner(min_resource=GRACE, reduction_factor=config.reduction)
    early = config.early_stopping and config.sampler != "nsga2"
    study.optuna.pruner = halving if early else NopPruner()
    until = time.monotonic() + (float("inf") if seconds is None else seconds)
    while study.left and time.monotonic() < until:
        _run_trial(study, objective, study.ask(), early)
        on_trial_end()


def _run_trial(study: SweepStudy, objective: Objective, trial: Trial, early: bool) -> None:
    def on_epoch(epoch: int, loss: float) -> None:
        study.report(trial, loss, epoch)
        if early and trial.should_prune():
            raise TrialPruned

    try:
        outcome = objective(trial.params, on_epoch)
    except TrialPruned:
        study.prune(trial)
    except Exception as error:  # a failed trial must not stop the sweep
        study.fail(trial, classify_error(error)[0])
    else:
        study.complete(trial, outcome)
