"""Search with Ray Tune: concurrent trials on all processors of the cluster, in workers that are reused.

Ray must have been started by ``cluster.session``. Trials are recorded in the study; Tune's own files go to a temporary
folder and are never read.
"""

from __future__ import annotations

import logging
import math
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import ray
from optuna.trial import Trial
from ray import tune
from ray.tune import TuneError
from ray.tune.schedulers import AsyncHyperBandScheduler
from ray.tune.search import Searcher
from ray.tune.search.optuna import OptunaSearch

from configs.errors import ClusterError, StoreError, last_line
from configs.operation import RunConfig
from training.run.capacity import plan_workers
from training.run.distributed import alive_nodes
from training.run.queue import classify_error
from tuning.local_search import GRACE
from tuning.objective import Objective, TrialFailed
from tuning.score import Outcome, Score
from tuning.space import Values
from tuning.study import SweepStudy

_MOST_EPOCHS = 10_000
ENVIRONMENT = {
    "RAY_AIR_NEW_OUTPUT": "0",  # the new output ignores verbose=0
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Tune would take Ctrl-C for the end of the sweep
}


def search_on_ray(
    study: SweepStudy,
    objective: Objective,
    run: RunConfig,
    seconds: float | None = None,
    on_trial_end: Callable[[], None] = lambda: None,
) -> None:
    """Run the remaining trials of a study; after ``seconds`` no further trial starts.

    Raises
    ------
    ClusterError
        The cluster is lost; finished trials are stored.
    StoreError
        The study's database fails.
    """
    config = study.config
    if not study.left:
        return
    early = config.early_stopping and config.sampler != "nsga2"
    workers = plan_workers(run, list(alive_nodes().values()), study.left)
    scheduler = AsyncHyperBandScheduler(
        time_attr="epoch",
        metric="valid_loss",
        mode="min",
        max_t=_MOST_EPOCHS,
        grace_period=GRACE,
        reduction_factor=config.reduction,
    )
    resources = {"cpu": run.cpus_per_worker, **({"gpu": 1} if run.use_gpu else {})}
    trainable = tune.with_resources(tune.with_parameters(_trial, objective=objective, use_gpu=run.use_gpu), resources)
    os.environ.update(ENVIRONMENT)
    for name in ("ray.tune", "ray.train"):
        logging.getLogger(name).setLevel(logging.ERROR)
    search = _StudySearcher(study, seconds, on_trial_end)
    with tempfile.TemporaryDirectory(prefix="fleetcast-tune-") as folder:
        tuner = tune.Tuner(
            trainable,
            tune_config=tune.TuneConfig(
                search_alg=search,
                scheduler=scheduler if early else None,
                num_samples=study.left,
                max_concurrent_trials=workers,
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(storage_path=folder, verbose=0, callbacks=[]),
        )
        try:
            tuner.fit()
        except (ray.exceptions.RayError, TuneError) as error:
            if search.error is not None:
                raise search.error from error
            raise ClusterError(
                f"the Ray cluster was lost during the sweep ({last_line(error)}). Finished trials are stored: run the "
                "same command with --resume to continue."
            ) from error
    if search.error is not None:
        raise search.error


def score_last_fold_on_ray(objective: Objective, values: Sequence[Values], run: RunConfig) -> list[Score | TrialFailed]:
    """Return the scores of values on the last fold, each computed by a Ray task."""
    plan_workers(run, list(alive_nodes().values()), 1)
    remote: Any = ray.remote(num_cpus=run.cpus_per_worker, num_gpus=1 if run.use_gpu else 0, max_retries=0)(_last_fold)
    shared = ray.put(objective)
    scores: list[Score | TrialFailed] = []
    for result in [remote.remote(shared, trial) for trial in values]:
        try:
            scores.append(ray.get(result))
        except ray.exceptions.RayError as error:  # a task that runs out of memory must not affect the others
            scores.append(TrialFailed(f"its worker process died ({last_line(error)})"))
    return scores


def _last_fold(objective: Objective, values: Values) -> Score | TrialFailed:
    return objective.score_last_fold(values)


def _trial(config: dict[str, Any], objective: Objective, use_gpu: bool) -> None:
    """Run one trial on a worker."""
    last: dict[str, Any] = {"valid_loss": math.inf}  # Tune needs its metric in every result

    def on_epoch(epoch: int, loss: float) -> None:
        last.update(valid_loss=loss)
        tune.report({"epoch": epoch, "valid_loss": loss})

    try:
        if use_gpu:
            _check_gpu()
        outcome = objective(config["values"], on_epoch)
    except Exception as error:  # a failed trial must not stop the sweep
        tune.report(last | {"reason": classify_error(error)[0]})
    else:
        tune.report(last | {"outcome": outcome.model_dump_json()})  # Tune flattens nested values


def _check_gpu() -> None:
    from training.models.fleet.backend import sees_gpu

    if not sees_gpu():
        raise TrialFailed("a GPU is reserved, but TensorFlow sees none: install tensorflow[and-cuda] on the node")


class _StudySearcher(OptunaSearch):
    """Connects Tune to a study: validation losses while a trial runs, the loss of all folds at its end.

    ``error`` is the first error of the database; Tune would report it as an error of its own.
    """

    def __init__(self, study: SweepStudy, seconds: float | None, on_trial_end: Callable[[], None]) -> None:
        super().__init__(metric="valid_loss", mode="min")
        self._study, self._on_trial_end = study, on_trial_end
        self._until = time.monotonic() + (float("inf") if seconds is None else seconds)
        self._running: dict[str, Trial] = {}
        self.error: StoreError | None = None

    def suggest(self, trial_id: str) -> Any:
        """Return the next trial's values, or ``FINISHED`` if no further trial starts."""
        if self.error is not None or time.monotonic() > self._until:
            return Searcher.FINISHED
        try:
            self._running[trial_id] = trial = self._study.ask()
        except StoreError as error:
            self.error = error
            return Searcher.FINISHED
        return {"values": dict(trial.params)}

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Record the validation loss of an epoch."""
        if "epoch" in result:
            with self._deferred_errors():
                self._study.report(self._running[trial_id], result["valid_loss"], result["epoch"])

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Record how a trial ended."""
        trial, last = self._running.pop(trial_id, None), result or {}
        if trial is None:
            return
        with self._deferred_errors():
            if error:
                self._study.fail(trial, "its worker process died (out of memory, or killed)")
            elif result is None:
                self._study.interrupt(trial)
            elif "outcome" in last:
                self._study.complete(trial, Outcome.model_validate_json(last["outcome"]))
            elif "reason" in last:
                self._study.fail(trial, last["reason"])
            else:
                self._study.report(trial, last["valid_loss"], last["epoch"])
                self._study.prune(trial)
            self._on_trial_end()

    @contextmanager
    def _deferred_errors(self) -> Iterator[None]:
        try:
            yield
        except StoreError as error:
            self.error = self.error or error

    def set_search_properties(self, metric: str | None, mode: str | None, config: dict[str, Any], **spec: Any) -> bool:
        """Refuse: metric, mode and space are the study's."""
        return False

    def __getstate__(self) -> dict[str, Any]:
        """Return the state that Tune pickles, without the study."""
        return {"_metric": self._metric, "_mode": self._mode}

    def save(self, checkpoint_path: str) -> None:
        """Do nothing: trials are in the study's database."""

    def restore(self, checkpoint_path: str) -> None:
        """Do nothing; see :meth:`save`."""
