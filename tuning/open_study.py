"""Create a study, or open one to add trials to; refuse trials that do not compare with those it has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext

import optuna
from optuna.distributions import BaseDistribution, check_distribution_compatibility
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.storages import RDBStorage
from optuna.study import StudyDirection

from configs.errors import ConfigError
from configs.operation import TuneConfig
from configs.space import Space
from features.store.store import Store
from tuning.space import Values
from tuning.study import SweepStudy
from tuning.study_database import (
    check_name,
    check_values,
    database_errors,
    heartbeat,
    lock_study,
    open_database,
    study_errors,
)


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
    """Yield a study to add trials to; no other process can open it at the same time.

    Parameters
    ----------
    task
        The identity of the task; trials of different tasks do not compare.
    first
        The values of the first trial, those of the configuration that the sweep should beat.
    resume
        Continue the study if it exists; without it, the study must not exist.
    url
        The database, such as ``postgresql://…``; by default SQLite in the store.

    Raises
    ------
    ConfigError
        The study exists and ``resume`` is false, its task or space differs, or another process has opened it.
    StoreError
        The database cannot be opened.
    """
    with lock_study(name, store), open_database(store, url) as (storage, public_url), database_errors():
        with study_errors(name):
            exists = _exists(name, storage, resume)
            study = _opened(name, storage, config.sampler, seed, exists)
            known, goals = study.user_attrs.get("task"), len(study.directions)
        sweep = SweepStudy(study, public_url, space, config)
        if known is not None and (known != task or goals != (2 if config.sampler == "nsga2" else 1)):
            raise ConfigError(
                f"study {name!r} is of another kind of model, or other bars, symbols, folds, settings or code, so its "
                "trials do not compare with new ones. Give another name with --study, or the configuration that it "
                "began with."
            )
        with heartbeat(study) if url is not None else nullcontext():
            if known is None:  # new, or of a process that was killed before it recorded its task
                if first is not None:
                    study.enqueue_trial(dict(first))
                study.set_user_attr("task", task)
            with study_errors(name):
                _check_trials(study, sweep.distributions)
            sweep.interrupt_running()
            yield sweep


def check_study(name: str | None, store: Store, resume: bool, url: str | None, *, must_exist: bool = False) -> None:
    """Raise what :func:`open_study` would raise for the name and the database; quick, and without Ray.

    With ``must_exist``, a study that does not exist is an error too.
    """
    if name is not None:
        check_name(name)
    with open_database(store, url) as (storage, _), database_errors():
        if name is not None:
            with lock_study(name, store):
                exists = _exists(name, storage, resume)
            if must_exist and not exists:
                names = ", ".join(sorted(optuna.get_all_study_names(storage))[-8:]) or "none"
                raise ConfigError(f"there is no study {name!r} to continue (there are: {names}). Leave --resume out.")


def _exists(name: str, storage: RDBStorage, resume: bool) -> bool:
    exists = name in optuna.get_all_study_names(storage)
    if exists and not resume:
        raise ConfigError(f"study {name!r} exists already. Give --resume to continue it, or another name with --study.")
    return exists


def _opened(name: str, storage: RDBStorage, sampler: str, seed: int, exists: bool) -> optuna.Study:
    return optuna.create_study(
        storage=storage,
        sampler=_sampler(sampler, seed, storage, name if exists else None),
        study_name=name,
        directions=[StudyDirection.MINIMIZE] * (2 if sampler == "nsga2" else 1),
        load_if_exists=exists,
    )


def _check_trials(study: optuna.Study, wanted: Mapping[str, BaseDistribution]) -> None:
    """Refuse values that were not drawn, and a space whose choices differ from the trials': Optuna cannot mix them."""
    for trial in study.get_trials(deepcopy=False):
        check_values(trial)
        for path, distribution in trial.distributions.items():
            try:
                if path in wanted:
                    check_distribution_compatibility(distribution, wanted[path])
            except ValueError as error:
                raise ConfigError(
                    f"study {study.study_name!r} varies {path} over other values. Give another name with --study, or "
                    "the tune.space that it began with."
                ) from error


def _sampler(name: str, seed: int, storage: RDBStorage, study: str | None) -> BaseSampler:
    """Return the sampler; for a study that continues, the seed depends on its trials, or draws would repeat."""
    if study is not None:
        seed += len(storage.get_all_trials(storage.get_study_id_from_name(study), deepcopy=False))
    makers: dict[str, Callable[[], BaseSampler]] = {
        "tpe": lambda: TPESampler(seed=seed, multivariate=True, constant_liar=True),
        "random": lambda: RandomSampler(seed=seed),
        "nsga2": lambda: NSGAIISampler(seed=seed),
    }
    return makers[name]()
