"""Search with Ray Tune: trials on all processors of the cluster, in workers that are used again for trial after trial.

Ray must have been started by ``cluster.session``. The study is the record of the sweep; what Tune writes for itself
goes to a temporary folder, and is never read.
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
from tuning.objective import Objective, TrialFailed
from tuning.score import Outcome, Score
from tuning.search import GRACE
from tuning.space import Values
from tuning.study import SweepStudy

_MOST_EPOCHS = 10_000
ENVIRONMENT = {
    "RAY_AIR_NEW_OUTPUT": "0",  # prints even where it is told to be quiet
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C would be taken for the end of the sweep
}


def search_on_ray(
    study: SweepStudy,
    objective: Objective,
    run: RunConfig,
    seconds: float | None = None,
    ended: Callable[[], None] = lambda: None,
) -> None:
    """Do the trials that are left, or those that fit into the seconds; ``ended`` is called after each.

    Raises
    ------
    ClusterError
        The cluster is lost; trials that are finished are kept.
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
    search = _StudySearch(study, seconds, ended)
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
            if search.broken is not None:
                raise search.broken from error
            raise ClusterError(
                f"the Ray cluster was lost in mid sweep ({last_line(error)}). Trials that are finished are kept: run "
                "the same command with --resume to go on."
            ) from error
    if search.broken is not None:
        raise search.broken


def judge_on_ray(objective: Objective, values: Sequence[Values], run: RunConfig) -> list[Score | TrialFailed]:
    """Return the scores of these values on the last fold, each from a task of the cluster's."""
    plan_workers(run, list(alive_nodes().values()), 1)
    remote: Any = ray.remote(num_cpus=run.cpus_per_worker, num_gpus=1 if run.use_gpu else 0, max_retries=0)(_judged)
    shared = ray.put(objective)
    found: list[Score | TrialFailed] = []
    for task in [remote.remote(shared, one) for one in values]:
        try:
            found.append(ray.get(task))
        except ray.exceptions.RayError as error:  # one that takes too much memory must not cost the others
            found.append(TrialFailed(f"its worker process died ({last_line(error)})"))
    return found


def _judged(objective: Objective, values: Values) -> Score | TrialFailed:
    return objective.judged(values)


def _trial(config: dict[str, Any], objective: Objective, use_gpu: bool) -> None:
    """Run on a worker: one trial."""
    last: dict[str, Any] = {"valid_loss": math.inf}  # Tune wants its metric in every result

    def follow(epoch: int, loss: float) -> None:
        last.update(valid_loss=loss)
        tune.report({"epoch": epoch, "valid_loss": loss})

    try:
        if use_gpu:
            _check_gpu()
        outcome = objective(config["values"], follow)
    except Exception as error:  # a trial's failure, whatever it is, must not stop the sweep
        tune.report(last | {"reason": classify_error(error)[0]})
    else:
        tune.report(last | {"outcome": outcome.model_dump_json()})  # Tune takes nested values apart


def _check_gpu() -> None:
    from training.models.fleet.backend import sees_gpu

    if not sees_gpu():
        raise TrialFailed("a GPU is reserved, but TensorFlow sees none: install tensorflow[and-cuda] on the node")


class _StudySearch(OptunaSearch):
    """Ray's bridge to Optuna, with a validation loss while a trial runs and another loss, of the folds, at its end."""

    def __init__(self, study: SweepStudy, seconds: float | None, ended: Callable[[], None]) -> None:
        super().__init__(metric="valid_loss", mode="min")
        self._study, self._ended = study, ended
        self._until = time.monotonic() + (float("inf") if seconds is None else seconds)
        self._asked: dict[str, Trial] = {}
        self.broken: StoreError | None = None

    def suggest(self, trial_id: str) -> Any:
        """Return the next trial's values, or that none is to begin any more."""
        if self.broken is not None or time.monotonic() > self._until:
            return Searcher.FINISHED
        try:
            self._asked[trial_id] = trial = self._study.ask()
        except StoreError as error:
            self.broken = error
            return Searcher.FINISHED
        return {"values": dict(trial.params)}

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Keep the validation loss of an epoch."""
        if "epoch" in result:
            with self._noting():
                self._study.report(self._asked[trial_id], result["valid_loss"], result["epoch"])

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Keep how a trial ended."""
        trial, told = self._asked.pop(trial_id, None), result or {}
        if trial is None:
            return
        with self._noting():
            if error:
                self._study.fail(trial, "its worker process died (out of memory, or killed)")
            elif result is None:
                self._study.interrupt(trial)
            elif "outcome" in told:
                self._study.complete(trial, Outcome.model_validate_json(told["outcome"]))
            elif "reason" in told:
                self._study.fail(trial, told["reason"])
            else:
                self._study.report(trial, told["valid_loss"], told["epoch"])
                self._study.prune(trial)
            self._ended()

    @contextmanager
    def _noting(self) -> Iterator[None]:
        """Keep what is wrong with the database for the end: Tune would take it for its own error."""
        try:
            yield
        except StoreError as error:
            self.broken = self.broken or error

    def set_search_properties(self, metric: str | None, mode: str | None, config: dict[str, Any], **spec: Any) -> bool:
        """Refuse what Tune would set: the study has it all."""
        return False

    def __getstate__(self) -> dict[str, Any]:
        """Leave the study out of what Tune writes for itself, and nobody reads."""
        return {"_metric": self._metric, "_mode": self._mode}

    def save(self, checkpoint_path: str) -> None:
        """Write nothing: the study is in its database."""

    def restore(self, checkpoint_path: str) -> None:
        """Read nothing."""
