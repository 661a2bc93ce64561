"""The driver of a sweep: search, then judge what it found on a fold that it never saw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from configs.load import load_config
from configs.schema import Config
from configs.values import Kind
from features.store.store import Store
from training.predictors.input_bars import AnyBars, AnyContext
from tuning.objective import Objective, TrialFailed
from tuning.report import render
from tuning.score import Score
from tuning.space import Values, configured, defaults, setting, space_of
from tuning.study import SweepStudy, TrialView, check_study, open_study
from tuning.study_database import FOLDER
from tuning.task import Task, task_of_bars, task_of_source, task_settings
from tuning.verdict import Verdict, conclude


@dataclass(frozen=True, slots=True)
class Callbacks:
    """Where a sweep tells how far it is: the task and its study when it begins, and after each trial."""

    began: Callable[[Task, SweepStudy], None] = lambda task, study: None
    ended: Callable[[SweepStudy], None] = lambda study: None


@dataclass(frozen=True, slots=True)
class Tuned:
    """What a sweep found.

    ``verdict`` judges it; ``trials`` are all that ended, in the database at ``url``; ``report`` is the place of the
    page, ``config`` what to train with.
    """

    verdict: Verdict
    trials: tuple[TrialView, ...]
    url: str
    report: str
    config: Config

    @property
    def best_parameters(self) -> dict[str, Any]:
        """The settings to train with, by path, as a configuration has them: the default's where it was not beaten."""
        return {path: setting(self.config, path) for path in self.verdict.values}


class HyperparameterOptimizer:
    """Searches for the settings of models, on Ray where ``cluster.session`` has connected, else in this process.

    Parameters
    ----------
    config
        Where to begin, and ``tune`` how to search; the ``demo`` preset by default.
    store
        A path or URI; studies are kept below it.
    url
        A database for studies in place of SQLite in the store.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> from features.sources import open_source
    >>> config = load_config("smoke", overrides=["tune.trials=2", "tune.symbols=2"])
    >>> optimizer = HyperparameterOptimizer(config, store=mkdtemp())
    >>> bars = [one.first(1500) for one in open_source("embedded", optimizer.store).load(["AAPL", "IBM"])]
    >>> found = optimizer.optimize_direction_model(bars)
    >>> len(found.trials), found.verdict.chosen in ("winner", "default")
    (2, True)
    """

    def __init__(
        self, config: Config | None = None, store: Store | str = ".fleetcast", *, url: str | None = None
    ) -> None:
        self.config = config or load_config("demo")
        self.store = store if isinstance(store, Store) else Store(store)
        self.url = url

    def optimize_direction_model(self, train_data: AnyBars, **options: Any) -> Tuned:
        """Search for the settings of direction models on bars at hand; keep the test period out of them.

        ``options`` are ``context`` (market series), and those of :meth:`optimize` from ``study`` on.
        """
        context = options.pop("context", None)
        return self._search(self._task_of(train_data, "direction", context), **options)

    def optimize_volatility_model(self, train_data: AnyBars, **options: Any) -> Tuned:
        """Search for the settings of volatility models; see :meth:`optimize_direction_model`."""
        context = options.pop("context", None)
        return self._search(self._task_of(train_data, "volatility", context), **options)

    def optimize(self, kind: Kind, **options: Any) -> Tuned:
        """Search on a sample of the configured source's symbols, up to the end of its validation period.

        Parameters
        ----------
        study
            The study's name; by default the kind and the moment.
        resume
            Whether to go on with a study of this name.
        seconds
            Begin no trial later than this.
        callbacks
            Who is told.

        Raises
        ------
        ConfigError, DataError, StoreError
            As :func:`tuning.study.open_study` and :func:`tuning.task.task_of_source` do.
        TrialFailed
            Nothing was found that can be judged.
        """
        return self._search(task_of_source(self.config, kind, self.store), **options)

    def check(self, study: str | None = None, resume: bool = False, *, must_exist: bool = False) -> None:
        """Raise what :meth:`optimize` would for a name or a database that cannot be, before Ray is started."""
        check_study(study, self.store, resume, self.url, must_exist=must_exist)

    def _task_of(self, bars: AnyBars, kind: Kind, context: AnyContext | None) -> Task:
        return task_of_bars(bars, self.config, kind, context)

    def _search(
        self,
        task: Task,
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
            callbacks.began(task, sweep)
            _run(sweep, objective, config, seconds, lambda: callbacks.ended(sweep))
            trials, finalists = sweep.trials, config.tune.finalists
            verdict = conclude(
                name, task.kind, trials, first or {}, finalists, task.horizon, lambda v: _judged(objective, v, config)
            )
            verdict = verdict.model_copy(update={"task": task_settings(config, task.kind), "until": task.until})
            self.store.write_json(f"{FOLDER}/{name}/verdict.json", verdict.model_dump(mode="json"))
            report = f"{FOLDER}/{name}/report.html"
            self.store.write(report, render(sweep, task, verdict, trials).encode())
        chosen = configured(config, verdict.values) if verdict.chosen == "winner" else config
        return Tuned(verdict, tuple(trials), sweep.url, self.store.path(report), chosen)


def _run(
    sweep: SweepStudy, objective: Objective, config: Config, seconds: float | None, ended: Callable[[], None]
) -> None:
    import ray

    if ray.is_initialized():
        from tuning.distributed import search_on_ray

        search_on_ray(sweep, objective, config.run, seconds, ended)
    else:
        from tuning.search import search_here

        search_here(sweep, objective, seconds, ended)


def _judged(objective: Objective, values: Sequence[Values], config: Config) -> list[Score | TrialFailed]:
    import ray

    if ray.is_initialized():
        from tuning.distributed import judge_on_ray

        return judge_on_ray(objective, values, config.run)
    return [objective.judged(one) for one in values]
