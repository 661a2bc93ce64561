"""The driver of a training run: plan it, fit blocks on workers, publish a version of each kind, decide on promotion."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from configs.load import load_config, validated
from configs.schema import Config
from configs.values import Kind
from features.context_source import load_context
from features.sources import open_source
from features.store.concurrent import in_order
from features.store.store import Store
from training.registry.block_files import is_finished
from training.registry.block_index import INDEX
from training.registry.manager import ModelManager
from training.registry.runs import STAGED, mark_in_use
from training.run.kind_result import KindResult
from training.run.publication import publish_kind
from training.run.queue import JobQueue, Progress
from training.run.run_plan import RunPlan, make_plan, write_plan
from training.validation.promotion import Policy


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """The result of a run: scores, version and promotion of each kind; the plan; and seconds by stage."""

    results: tuple[KindResult, ...]
    plan: RunPlan
    seconds: dict[str, float]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A planned run; ``done`` are the outputs that exist already and are complete and undamaged."""

    plan: RunPlan
    done: frozenset[str]
    seconds: float

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to fit."""
        return all(job.output in self.done for job in self.plan.jobs)


@dataclass(frozen=True, slots=True)
class Callbacks:
    """Progress callbacks of a run: ``planned`` gets the plan and the number of jobs already done, then ``progress``."""

    planned: Callable[[RunPlan, int], None] = lambda plan, done: None
    progress: Callable[[Progress], None] = lambda progress: None


class ModelTrainer:
    """Trains every symbol's models, on Ray if ``cluster.session`` has connected to it, else in this process.

    Parameters
    ----------
    config
        What to train; the ``demo`` preset by default.
    store
        A path or URI of the folder with blocks, versions and the lake.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> trainer = ModelTrainer(load_config("smoke"), store=mkdtemp())
    >>> result = trainer.train_multi_asset_models(["AAPL", "IBM"], ["direction"])
    >>> sorted(result.results[0].per_symbol)
    ['AAPL', 'IBM']
    >>> trainer.models.load_model("price_direction_aapl").symbols
    ('AAPL',)
    """

    def __init__(self, config: Config | None = None, store: Store | str = ".fleetcast") -> None:
        self.config = config or load_config("demo")
        self.store = store if isinstance(store, Store) else Store(store)
        self.models = ModelManager(self.store)

    def train_multi_asset_models(
        self,
        symbols: Sequence[str] = (),
        model_types: Sequence[Kind] = ("direction", "volatility"),
        *,
        promote: Policy = "auto",
        callbacks: Callbacks | None = None,
    ) -> TrainingResult:
        """Train these symbols (all of the source by default) and publish one version of each kind.

        Finished blocks are stored: after a crash, the same call does the other jobs and ends with byte-equal models.

        Raises
        ------
        DataError
            No symbol can be trained.
        ClusterError
            The cluster cannot run the workers.
        StoreError
            The store cannot be written.
        """
        callbacks = callbacks or Callbacks()
        return self.run(self.prepare(symbols, model_types, callbacks=callbacks), promote=promote, callbacks=callbacks)

    def prepare(
        self, symbols: Sequence[str] = (), model_types: Sequence[Kind] = (), *, callbacks: Callbacks | None = None
    ) -> Prepared:
        """Read and stage the bars, plan the run, and find finished jobs; needs no cluster."""
        start = time.perf_counter()
        config = self._configured(symbols, model_types)
        mark_in_use(self.store, STAGED)
        source = open_source(config.data.bars, self.store, config.data.reading)
        plan = make_plan(source, config, self.store, load_context(source, config, self.store))
        mark_in_use(self.store, plan.folders)
        write_plan(self.store, plan)
        done = self._finished(plan)
        (callbacks or Callbacks()).planned(plan, len(done))
        return Prepared(plan, done, time.perf_counter() - start)

    def run(
        self, prepared: Prepared, *, promote: Policy = "auto", callbacks: Callbacks | None = None
    ) -> TrainingResult:
        """Do the remaining jobs, publish a version of each kind, and decide on promotion."""
        plan, start = prepared.plan, time.perf_counter()
        queue = JobQueue(plan.jobs, plan.config.run.retries, set(prepared.done))
        queue = self._work(prepared, queue, callbacks or Callbacks())
        trained = time.perf_counter()
        mark_in_use(self.store, plan.folders)
        results = tuple(publish_kind(self.models, plan, kind, queue, promote) for kind in plan.config.run.kinds)
        seconds = {"prepare": prepared.seconds, "train": trained - start, "publish": time.perf_counter() - trained}
        return TrainingResult(results, plan, {stage: round(value, 3) for stage, value in seconds.items()})

    def _finished(self, plan: RunPlan) -> frozenset[str]:
        """Return the outputs that exist and are undamaged; only those that a folder lists with an index are read."""
        folders = {job.output.rpartition("/")[0] for job in plan.jobs}
        files = {f"{folder}/{name}" for folder in folders for name in self.store.names(folder)}
        indexed = [job.output for job in plan.jobs if job.output + INDEX in files]
        finished = in_order(self.store, partial(is_finished, self.store), indexed)
        return frozenset(output for output, ok in zip(indexed, finished, strict=True) if ok)

    def _configured(self, symbols: Sequence[str], kinds: Sequence[Kind]) -> Config:
        data = self.config.data.model_copy(update={"symbols": tuple(symbols) or self.config.data.symbols})
        run = self.config.run.model_copy(update={"kinds": tuple(dict.fromkeys(kinds)) or self.config.run.kinds})
        return validated(self.config.model_copy(update={"data": data, "run": run}).model_dump(), "this run")

    def _work(self, prepared: Prepared, queue: JobQueue, callbacks: Callbacks) -> JobQueue:
        plan = prepared.plan
        if prepared.is_finished:
            callbacks.progress(queue.progress())
            return queue
        import ray

        if ray.is_initialized():
            from training.run.distributed import run_on_ray

            return run_on_ray(self.store, plan.name, queue, plan.config.run, callbacks.progress)
        from training.run.local import run_here

        return run_here(self.store.uri, plan.name, queue, callbacks.progress)
