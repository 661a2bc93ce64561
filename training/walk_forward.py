"""The driver of a walk-forward run: plan all folds, fit those that are not stored yet, and stitch their forecasts."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from configs.load import config_or
from configs.schema import Config
from features.context import MarketContext
from features.context_source import load_context
from features.sources import open_source
from features.sources.base import Source
from features.store.store import Store, open_store
from training.registry.block_files import is_finished
from training.registry.runs import STAGED, mark_in_use
from training.registry.walk_forwards import WalkForwardRun, WalkForwards
from training.run.execute import do_jobs, finished_outputs
from training.run.fold_plan import make_fold_plan
from training.run.queue import Progress
from training.run.run_plan import RunPlan, write_plan
from training.run.stitching import stitch


@dataclass(frozen=True, slots=True)
class PreparedWalk:
    """A planned walk-forward run.

    ``done`` outputs are stored already, and so are the ``fitted`` models of jobs that are not done, of which only the
    test is left. No window tests the ``left_over`` last dates.
    """

    plan: RunPlan
    done: frozenset[str]
    fitted: frozenset[str]
    left_over: int
    seconds: float

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to fit."""
        return all(job.output in self.done for job in self.plan.jobs)


@dataclass(frozen=True, slots=True)
class WalkForwardResult:
    """A finished walk-forward run.

    ``fits`` were done now, out of ``jobs``; the others were stored by earlier runs. ``failed`` outputs were given up,
    with their reasons. ``seconds`` by stage.
    """

    run: WalkForwardRun
    plan: RunPlan
    jobs: int
    fits: int
    failed: dict[str, str]
    seconds: dict[str, float]


class WalkForward:
    """Fits the models of every window, on Ray if ``cluster.session`` has connected to it, else in this process.

    Parameters
    ----------
    config
        What to fit (``config.run.kinds``) and the windows (``config.walk_forward``); the ``demo`` preset by default.
    store
        A path or URI of the folder with finished fits and runs; by default ``FLEETCAST_STORE`` or ``.fleetcast``.
    """

    def __init__(self, config: Config | None = None, store: Store | str | os.PathLike[str] | None = None) -> None:
        config = config_or(config, "WalkForward", "demo")
        # What a window tests is published nowhere, so nothing is fitted again on the rows that tested it.
        self.config = config.model_copy(update={"run": config.run.model_copy(update={"refit": False})})
        self.store = open_store(store)

    def prepare(self, source: Source | None = None, context: MarketContext | None = None) -> PreparedWalk:
        """Read and stage the bars, plan all windows, and find finished fits; needs no cluster.

        Parameters
        ----------
        source
            Of the bars; by default the one that ``config.data.bars`` names.
        context
            Market series for a given source; those of ``config.data.context`` are read with the configured one.

        Raises
        ------
        DataError
            No symbol can be trained, or there are too few dates for one window.
        """
        start = time.perf_counter()
        mark_in_use(self.store, STAGED)
        if source is None:
            source = open_source(self.config.data.bars, self.store, self.config.data.reading)
            context = load_context(source, self.config, self.store)
        plan, left_over = make_fold_plan(source, self.config, self.store, context)
        mark_in_use(self.store, plan.folders)
        write_plan(self.store, plan)
        done = finished_outputs(self.store, plan)
        left = [job.fit for job in plan.jobs if job.fit is not None and job.output not in done]
        fitted = frozenset(fit for fit in left if is_finished(self.store, fit))
        return PreparedWalk(plan, done, fitted, left_over, time.perf_counter() - start)

    def run(
        self, prepared: PreparedWalk, on_progress: Callable[[Progress], None] = lambda progress: None
    ) -> WalkForwardResult:
        """Fit what is left, and store the forecasts of all windows as one table.

        Finished fits are stored: after a crash, the same call does the others and ends with equal bytes.

        Raises
        ------
        ClusterError
            The cluster cannot run the workers.
        StoreError
            The store cannot be written.
        """
        plan, start = prepared.plan, time.perf_counter()
        queue = do_jobs(self.store, plan, prepared.done, on_progress)
        fitted = time.perf_counter()
        mark_in_use(self.store, plan.folders)
        run = WalkForwards(self.store).find(plan.name) if prepared.is_finished else None
        run = run or stitch(self.store, plan, queue, prepared.left_over)
        seconds = {"prepare": prepared.seconds, "fit": fitted - start, "stitch": time.perf_counter() - fitted}
        return WalkForwardResult(
            run=run.model_copy(update={"left_over": prepared.left_over}),
            plan=plan,
            jobs=len(plan.jobs),
            fits=sum(job.output in queue.done - prepared.done and job.fit not in prepared.fitted for job in plan.jobs),
            failed=dict(queue.failed),
            seconds={stage: round(value, 3) for stage, value in seconds.items()},
        )
