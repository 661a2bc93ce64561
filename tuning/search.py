"""Search in this process, with Optuna alone: one trial after the other."""

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


def search_here(
    study: SweepStudy, objective: Objective, seconds: float | None = None, ended: Callable[[], None] = lambda: None
) -> None:
    """Do the trials that are left, or those that fit into the seconds; ``ended`` is called after each."""
    config = study.config
    halving = SuccessiveHalvingPruner(min_resource=GRACE, reduction_factor=config.reduction)
    early = config.early_stopping and config.sampler != "nsga2"
    study.optuna.pruner = halving if early else NopPruner()
    until = time.monotonic() + (float("inf") if seconds is None else seconds)
    while study.left and time.monotonic() < until:
        _try(study, objective, study.ask(), early)
        ended()


def _try(study: SweepStudy, objective: Objective, trial: Trial, early: bool) -> None:
    def follow(epoch: int, loss: float) -> None:
        study.report(trial, loss, epoch)
        if early and trial.should_prune():
            raise TrialPruned

    try:
        outcome = objective(trial.params, follow)
    except TrialPruned:
        study.prune(trial)
    except Exception as error:  # a trial's failure, whatever it is, must not stop the sweep
        study.fail(trial, classify_error(error)[0])
    else:
        study.complete(trial, outcome)
