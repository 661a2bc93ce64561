"""The driver of a sweep: search, then compare the best trials on a fold that scored none of them."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from configs.errors import ConfigError
from configs.load import config_or, validated
from configs.schema import Config
from configs.values import Kind
from features.any_bars import AnyBars
from features.store.store import Store, open_store
from training.registry.trials import Trial, TrialLedger
from tuning.objective import Objective, TrialFailed
from tuning.open_study import check_study, open_study
from tuning.report import render
from tuning.score import Score
from tuning.space import Values, configured, defaults, setting, space_of
from tuning.study import SweepStudy
from tuning.study_database import FOLDER
from tuning.sweep_task import SweepTask, task_of_bars, task_of_source, task_settings
from tuning.sweep_verdict import SweepVerdict, conclude
from tuning.trial_view import TrialView

logger = logging.getLogger(__name__)

_OPTIONS = ("study", "resume", "seconds", "callbacks")


@dataclass(frozen=True, slots=True)
class Callbacks:
    """Progress callbacks of a sweep: when it starts, and after each trial.

    Without any, the logger ``tuning.optimizer`` reports each trial at level INFO: ``logging.basicConfig(level="INFO")``
    shows it.

    Examples
    --------
    >>> progress = Callbacks(trial_ended=lambda study: print(f"trial {study.latest.number}: {study.latest.loss}"))
    """

    started: Callable[[SweepTask, SweepStudy], None] = lambda task, study: None
    trial_ended: Callable[[SweepStudy], None] = lambda study: None


@dataclass(frozen=True, slots=True)
class Tuned:
    """The result of a sweep.

    ``trials`` are all finished trials, stored in the database at ``url``; ``report`` is the path of the HTML page,
    ``config`` the configuration to train with.
    """

    verdict: SweepVerdict
    trials: tuple[TrialView, ...]
    url: str
    report: str
    config: Config

    @property
    def best_parameters(self) -> dict[str, Any]:
        """The values to train with of all settings that were varied, by path."""
        return {path: setting(self.config, path) for path in self.verdict.values}


class HyperparameterOptimizer:
    """Searches for the settings of models, on Ray if ``cluster.session`` is connected, else in this process.

    Parameters
    ----------
    config
        The default settings, and in ``tune`` those of the search; the ``demo`` preset by default.
    store
        A path or URI under which studies are stored; by default ``FLEETCAST_STORE`` or ``.fleetcast``.
    url
        A database for studies instead of SQLite in the store.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> from configs import load_config
    >>> from features import load_bars
    >>> config = load_config("smoke", overrides=["tune.trials=2", "tune.symbols=2"])
    >>> optimizer = HyperparameterOptimizer(config, store=mkdtemp())
    >>> bars = load_bars("embedded", ["AAPL", "IBM"], end="2005-12-31")
    >>> found = optimizer.optimize_direction_model(bars)
    >>> len(found.trials), found.verdict.chosen in ("winner", "default")
    (2, True)
    """

    def __init__(
        self,
        config: Config | None = None,
        store: Store | str | os.PathLike[str] | None = None,
        *,
        url: str | None = None,
    ) -> None:
        self.config = config_or(config, "HyperparameterOptimizer", "demo")
        self.store = open_store(store)
        self.url = url

    def optimize_direction_model(self, train_data: AnyBars, **options: Any) -> Tuned:
        """Search for the settings of direction models on the given bars, which must not include the test period.

        ``options`` are ``context`` (market series) and those of :meth:`optimize` from ``trials`` on.
        """
        return self._on_bars("direction", train_data, options)

    def optimize_volatility_model(self, train_data: AnyBars, **options: Any) -> Tuned:
        """Search for the settings of volatility models; see :meth:`optimize_direction_model`."""
        return self._on_bars("volatility", train_data, options)

    def optimize(self, kind: Kind, **options: Any) -> Tuned:
        """Search on a sample of the configured source's symbols, up to the end of its validation period.

        Parameters
        ----------
        trials
            Total number of trials, in place of the configuration's; ``n_trials`` is another name of it.
        study
            The study's name; by default the kind and the time.
        resume
            Whether to continue a study of this name.
        seconds
            Time after which no further trial starts.
        callbacks
            Progress callbacks; see :class:`Callbacks`.

        Raises
        ------
        ConfigError, DataError, StoreError
            As :func:`~tuning.open_study.open_study` and :func:`~tuning.sweep_task.task_of_source` do; or there is no
            such option.
        TrialFailed
            No trial has a score on the last fold, or the default has none.
        """
        config = self._configured(options)
        return self._sweep(task_of_source(config, kind, self.store), **options)

    def check(self, study: str | None = None, resume: bool = False, *, must_exist: bool = False) -> None:
        """Raise what :meth:`optimize` would raise for the name and the database; needs no Ray."""
        check_study(study, self.store, resume, self.url, must_exist=must_exist)

    def _on_bars(self, kind: Kind, bars: AnyBars, options: dict[str, Any]) -> Tuned:
        context = options.pop("context", None)
        return self._sweep(task_of_bars(bars, self._configured(options), kind, context), **options)

    def _configured(self, options: dict[str, Any]) -> Config:
        """Take the number of trials out of the options, and return the configuration with it."""
        trials = [options.pop(name) for name in ("trials", "n_trials") if name in options]
        if unknown := sorted(options.keys() - _OPTIONS):
            expected = ", ".join(("trials", *_OPTIONS, "and for bars context"))
            raise ConfigError(f"a sweep has no option {unknown[0]!r}; expected {expected}. Settings are in config=.")
        return validated(self.config.replaced({"tune.trials": trials[0]}), "trials") if trials else self.config

    def _sweep(
        self,
        task: SweepTask,
        study: str | None = None,
        resume: bool = False,
        seconds: float | None = None,
        callbacks: Callbacks | None = None,
    ) -> Tuned:
        callbacks = callbacks or Callbacks()
        config, space = task.config, space_of(task.config, task.kind)
        name = study or f"{task.kind}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        first = defaults(config, space)
        objective = Objective(task, max(1, int(config.run.cpus_per_worker)))
        with open_study(
            name,
            self.store,
            task.identity,
            space,
            config.tune,
            first=first,
            resume=resume,
            url=self.url,
            seed=config.run.seed,
        ) as sweep:
            callbacks.started(task, sweep)
            logger.info("study %s: %d trials of %s models", name, sweep.left, task.kind)
            try:
                _search(sweep, objective, config, seconds, lambda: _report(sweep, callbacks))
            finally:
                self._count(name, len(sweep.trials))
            trials = sweep.trials
            verdict = conclude(
                name,
                task.kind,
                trials,
                first or {},
                config.tune.finalists,
                task.horizon,
                lambda values: _score_last_fold(objective, values, config),
            )
            verdict = verdict.model_copy(update={"task": task_settings(config, task.kind), "until": task.until})
            self.store.write_json(f"{FOLDER}/{name}/verdict.json", verdict.model_dump(mode="json"))
            report = f"{FOLDER}/{name}/report.html"
            self.store.write(report, render(sweep, task, verdict, trials).encode())
        chosen = configured(config, verdict.values) if verdict.chosen == "winner" else config
        return Tuned(verdict, tuple(trials), sweep.url, self.store.path(report), chosen)

    def _count(self, name: str, trials: int) -> None:
        """Add a study's trials to the ledger, those of an interrupted one too: backtests are judged by their number."""
        if trials:
            TrialLedger(self.store).add(Trial(kind="study", name=name, identity=name, count=trials))


def _report(sweep: SweepStudy, callbacks: Callbacks) -> None:
    trial = sweep.latest
    logger.info("trial %d of study %s: %s, loss %s", trial.number, sweep.name, trial.state, trial.loss)
    callbacks.trial_ended(sweep)


def _search(
    sweep: SweepStudy, objective: Objective, config: Config, seconds: float | None, on_trial_end: Callable[[], None]
) -> None:
    import ray

    if ray.is_initialized():
        from tuning.ray_search import search_on_ray

        search_on_ray(sweep, objective, config.run, seconds, on_trial_end)
    else:
        from tuning.local_search import search_locally

        search_locally(sweep, objective, seconds, on_trial_end)


def _score_last_fold(objective: Objective, values: Sequence[Values], config: Config) -> list[Score | TrialFailed]:
    import ray

    if ray.is_initialized():
        from tuning.ray_search import score_last_fold_on_ray

        return score_last_fold_on_ray(objective, values, config.run)
    return [objective.score_last_fold(trial) for trial in values]
