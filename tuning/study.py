"""The trials of one sweep, stored in a database that Optuna's dashboard reads."""

from __future__ import annotations

import math
from datetime import datetime

import optuna
from optuna.trial import Trial, TrialState

from configs.operation import TuneConfig
from configs.space import Space
from tuning.score import Outcome
from tuning.space import distributions
from tuning.study_database import study_errors
from tuning.trial_view import TrialView

_INTERRUPTED = "interrupted"
_FINISHED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


class SweepStudy:
    """A study to which one sweep at a time adds trials, made by :func:`tuning.open_study.open_study`.

    ``optuna`` is the Optuna study, ``url`` its database without a password. Every method may raise ``StoreError`` for
    the database.
    """

    def __init__(self, study: optuna.Study, url: str, space: Space, config: TuneConfig) -> None:
        self.optuna, self.url, self.config = study, url, config
        self.distributions = distributions(space)
        self._reported: dict[int, int] = {}

    @property
    def name(self) -> str:
        """The study's name."""
        return self.optuna.study_name

    @property
    def trials(self) -> list[TrialView]:
        """All finished trials in the order in which they started; interrupted trials are not among them."""
        with study_errors(self.name):
            trials = self.optuna.get_trials(deepcopy=False, states=_FINISHED)
            return [TrialView.of(trial) for trial in trials if trial.user_attrs.get("reason") != _INTERRUPTED]

    @property
    def latest(self) -> TrialView:
        """The trial that ended last; there must be one."""
        return max(self.trials, key=lambda trial: trial.ended or datetime.min)

    @property
    def left(self) -> int:
        """The number of trials that remain to be run."""
        return max(0, self.config.trials - len(self.trials))

    def ask(self) -> Trial:
        """Return the next trial: a queued one (the default values, or an interrupted trial), else the sampler's."""
        with study_errors(self.name):
            return self.optuna.ask(self.distributions)

    def report(self, trial: Trial, loss: float, epoch: int) -> None:
        """Record the validation loss of an epoch; an epoch that was reported before is ignored."""
        one_objective = self.config.sampler != "nsga2"  # Optuna stores no intermediate values for two objectives
        if one_objective and math.isfinite(loss) and epoch > self._reported.get(trial.number, 0):
            self._reported[trial.number] = epoch
            with study_errors(self.name):
                trial.report(loss, epoch)

    def complete(self, trial: Trial, outcome: Outcome) -> None:
        """Record a trial's outcome, then its state: a crash between the two leaves the trial interrupted."""
        with study_errors(self.name):
            trial.set_user_attr("baseline", outcome.baseline)
            trial.set_user_attr("edge", outcome.edge.model_dump())
            trial.set_user_attr("failed", outcome.failed)
            by_symbol = [{name: round(loss, 6) for name, loss in fold.items()} for fold in outcome.by_symbol]
            trial.set_user_attr("by_symbol", by_symbol)
            trial.set_user_attr("seconds", round(outcome.seconds, 3))
            two_objectives = self.config.sampler == "nsga2"
            self.optuna.tell(trial, [outcome.loss, outcome.seconds] if two_objectives else outcome.loss)

    def prune(self, trial: Trial) -> None:
        """Record that a trial was ended early."""
        with study_errors(self.name):
            self.optuna.tell(trial, state=TrialState.PRUNED)

    def fail(self, trial: Trial, reason: str) -> None:
        """Record that a trial failed, and why."""
        with study_errors(self.name):
            trial.set_user_attr("reason", " ".join(reason.split())[:500] or "unknown")
            self.optuna.tell(trial, state=TrialState.FAIL)

    def interrupt(self, trial: Trial) -> None:
        """Record that a trial was stopped before its end, and queue its values again."""
        with study_errors(self.name):
            frozen = self.optuna.get_trials(deepcopy=False)[trial.number]
            fixed = frozen.system_attrs.get(
                "fixed_params", {}
            )  # params lacks those that were not drawn before the stop
            if values := {**fixed, **frozen.params}:
                self.optuna.enqueue_trial(values)
        self.fail(trial, _INTERRUPTED)

    def interrupt_running(self) -> None:
        """Interrupt the trials that were running when their process ended."""
        with study_errors(self.name):
            running = self.optuna.get_trials(states=(TrialState.RUNNING,))
        for trial in running:
            self.interrupt(Trial(self.optuna, trial._trial_id))
