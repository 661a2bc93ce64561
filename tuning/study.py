"""A study: every trial of a sweep, kept in a database that outlives the process and that Optuna's dashboard reads."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, check_distribution_compatibility
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState

from configs.errors import ConfigError
from configs.operation import TuneConfig
from configs.space import Space
from features.store.store import Store
from tuning.score import Difference, Outcome
from tuning.space import Values, distributions
from tuning.study_database import alone, check_name, database, heartbeat, opened

_INTERRUPTED = "interrupted"
_FINISHED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


@dataclass(frozen=True, slots=True)
class TrialView:
    """A finished trial: ``state`` is ``complete``, ``pruned`` or ``fail``, and ``reason`` says why it failed.

    ``edge`` is what its forecasts are better (negative) or worse than the baseline's; ``failed`` are the symbols that
    it has no model of.
    """

    number: int
    state: str
    values: Values
    loss: float | None
    baseline: float | None
    by_symbol: tuple[dict[str, float], ...]
    curve: dict[int, float]
    seconds: float | None
    reason: str
    ended: datetime | None = None
    edge: Difference | None = None
    failed: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, trial: FrozenTrial) -> TrialView:
        """Return Optuna's trial as this project speaks of it."""
        told, complete = trial.user_attrs, trial.state == TrialState.COMPLETE
        return cls(
            trial.number,
            trial.state.name.lower(),
            dict(trial.params),
            trial.values[0] if complete and trial.values else None,
            told.get("baseline"),
            tuple(told.get("by_symbol", ())),
            dict(trial.intermediate_values),
            told.get("seconds"),
            told.get("reason", ""),
            trial.datetime_complete,
            Difference(**told["edge"]) if "edge" in told else None,
            told.get("failed", {}),
        )


class SweepStudy:
    """A study that one sweep at a time adds trials to; every method may raise ``StoreError`` for its database.

    Made by :func:`open_study`. ``optuna`` is the study itself, ``url`` its database without a password.
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
        """All trials that ended by themselves, in the order in which they began."""
        with database():
            found = self.optuna.get_trials(deepcopy=False, states=_FINISHED)
        return [TrialView.of(one) for one in found if one.user_attrs.get("reason") != _INTERRUPTED]

    @property
    def latest(self) -> TrialView:
        """The trial that ended last; there must be one."""
        return max(self.trials, key=lambda one: one.ended or datetime.min)

    @property
    def left(self) -> int:
        """How many trials are still to finish."""
        return max(0, self.config.trials - len(self.trials))

    def ask(self) -> Trial:
        """Return the next trial: one that was interrupted or is to be tried first, or what the sampler suggests."""
        with database():
            return self.optuna.ask(self.distributions)

    def report(self, trial: Trial, loss: float, epoch: int) -> None:
        """Keep a validation loss of a trial that runs; the end of a trial may tell the last one again."""
        single = self.config.sampler != "nsga2"  # Optuna keeps none where there are two goals
        if single and math.isfinite(loss) and epoch > self._reported.get(trial.number, 0):
            self._reported[trial.number] = epoch
            with database():
                trial.report(loss, epoch)

    def complete(self, trial: Trial, outcome: Outcome) -> None:
        """Record what a trial is worth, before its state: a crash between the two leaves it interrupted."""
        costly = self.config.sampler == "nsga2"
        with database():
            trial.set_user_attr("baseline", outcome.baseline)
            trial.set_user_attr("edge", outcome.edge.model_dump())
            trial.set_user_attr("failed", outcome.failed)
            trial.set_user_attr("by_symbol", [_short(one) for one in outcome.by_symbol])
            trial.set_user_attr("seconds", round(outcome.seconds, 3))
            self.optuna.tell(trial, [outcome.loss, outcome.seconds] if costly else outcome.loss)

    def prune(self, trial: Trial) -> None:
        """Record that a trial lagged behind and was ended."""
        with database():
            self.optuna.tell(trial, state=TrialState.PRUNED)

    def fail(self, trial: Trial, reason: str) -> None:
        """Record that a trial failed, and why."""
        with database():
            trial.set_user_attr("reason", " ".join(reason.split())[:500] or "unknown")
            self.optuna.tell(trial, state=TrialState.FAIL)

    def interrupt(self, trial: Trial) -> None:
        """Record that a trial was ended in mid run, and put its values in line again."""
        with database():
            frozen = self.optuna.get_trials(deepcopy=False)[trial.number]
            fixed = frozen.system_attrs.get("fixed_params", {})  # one that was ended at once has not taken them all
            if values := {**fixed, **frozen.params}:
                self.optuna.enqueue_trial(values)
        self.fail(trial, _INTERRUPTED)

    def release(self) -> None:
        """Interrupt trials that were at work when their process ended."""
        with database():
            running = self.optuna.get_trials(states=(TrialState.RUNNING,))
        for one in running:
            self.interrupt(Trial(self.optuna, one._trial_id))


@contextmanager
def open_study(
    name: str,
    store: Store,
    task: str,
    space: Space,
    config: TuneConfig,
    *,
    first: Values | None = None,
    resume: bool = False,
    url: str | None = None,
    seed: int = 0,
) -> Iterator[SweepStudy]:
    """Yield a study to add trials to, which no other process adds some to at the same time.

    Parameters
    ----------
    task
        The identity of what trials work on; those of another cannot be compared.
    first
        The values to try first, those of the configuration that the sweep should beat.
    resume
        Whether to go on with a study of this name, if there is one; without, there must be none.
    url
        The database, such as ``postgresql://…``; by default SQLite in the store.

    Raises
    ------
    ConfigError
        A study of this name exists, and ``resume`` is not given or it is of another task or space; or another process
        works on it.
    StoreError
        The database cannot be opened.
    """
    with alone(name, store), opened(store, url) as (storage, place), database():
        exists = _exists(name, storage, resume)
        sampler = _sampler(config.sampler, seed, storage, name if exists else None)
        goals = [StudyDirection.MINIMIZE] * (2 if config.sampler == "nsga2" else 1)
        study = optuna.create_study(
            storage=storage, sampler=sampler, study_name=name, directions=goals, load_if_exists=exists
        )
        sweep = SweepStudy(study, place, space, config)
        known = study.user_attrs.get("task")
        if known is not None and (known != task or len(study.directions) != len(goals)):
            raise ConfigError(
                f"study {name!r} is of another kind of model, or other bars, symbols, folds, settings or code, so its "
                "trials do not compare with new ones. Give another name with --study, or the configuration that it "
                "began with."
            )
        with heartbeat(study) if url is not None else nullcontext():
            if known is None:  # of a process that ended before it could say so, or new
                if first is not None:
                    study.enqueue_trial(dict(first))
                study.set_user_attr("task", task)
            _check_space(study, sweep.distributions)
            sweep.release()
            yield sweep


def check_study(name: str | None, store: Store, resume: bool, url: str | None, *, must_exist: bool = False) -> None:
    """Raise what :func:`open_study` would, before anything is begun that takes time.

    With ``must_exist`` a study that is to be gone on with and is not there is refused too.
    """
    if name is not None:
        check_name(name)
    with opened(store, url) as (storage, _), database():
        if name is not None:
            with alone(name, store):
                exists = _exists(name, storage, resume)
            if must_exist and not exists:
                held = ", ".join(sorted(optuna.get_all_study_names(storage))[-8:]) or "none"
                raise ConfigError(f"there is no study {name!r} to go on with (there are: {held}). Leave --resume out.")


def _exists(name: str, storage: RDBStorage, resume: bool) -> bool:
    exists = name in optuna.get_all_study_names(storage)
    if exists and not resume:
        raise ConfigError(
            f"study {name!r} exists already. Give --resume to go on with it, or another name with --study."
        )
    return exists


def _check_space(study: optuna.Study, wanted: Mapping[str, BaseDistribution]) -> None:
    """Refuse a space whose choices are others than those of the study's trials: Optuna cannot mix them."""
    for trial in study.get_trials(deepcopy=False):
        for path, held in trial.distributions.items():
            try:
                if path in wanted:
                    check_distribution_compatibility(held, wanted[path])
            except ValueError as error:
                raise ConfigError(
                    f"study {study.study_name!r} varies {path} over other values. Give another name with --study, or "
                    "the tune.space that it began with."
                ) from error


def _sampler(name: str, seed: int, storage: RDBStorage, study: str | None) -> BaseSampler:
    """Return the sampler; one that goes on has another seed, or it would repeat its first draws."""
    if study is not None:
        seed += len(storage.get_all_trials(storage.get_study_id_from_name(study), deepcopy=False))
    makers: dict[str, Callable[[], BaseSampler]] = {
        "tpe": lambda: TPESampler(seed=seed, multivariate=True, constant_liar=True),
        "random": lambda: RandomSampler(seed=seed),
        "nsga2": lambda: NSGAIISampler(seed=seed),
    }
    return makers[name]()


def _short(losses: dict[str, float]) -> dict[str, Any]:
    return {symbol: round(loss, 6) for symbol, loss in losses.items()}
