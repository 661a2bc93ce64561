"""What a worker does with a job: read its staged bars, fit, evaluate, and write one block. Without Ray."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

import numpy.typing as npt
from threadpoolctl import threadpool_limits

from configs.errors import DataError, StoreError
from configs.schema import Config
from features.context import MarketContext
from features.engineer import build_panel
from features.panel import Panel
from features.store.store import Store
from features.universe import UniverseTable
from training.data.arrays import prefixed
from training.data.examples import Examples
from training.predictors import BarsPredictor, predictor_class, predictor_from_block
from training.registry.block_files import is_finished
from training.registry.blocks import Block, read_block, write_block
from training.registry.runs import mark_in_use
from training.run.job import Job
from training.run.newest import newest_forecasts
from training.run.run_plan import RunPlan, read_plan
from training.run.staging import read_staged
from training.tasks import task_of
from training.validation.evaluate import evaluate
from training.validation.folds import fold_panel

logger = logging.getLogger(__name__)

_KEPT_PANELS = 3  # of the pooled fit and of two blocks
_panels: dict[tuple[object, ...], Panel] = {}


def needs_tensorflow(uri: str, plan_name: str) -> bool:
    """Return whether a run fits networks; False if its plan cannot be read, which its first job reports."""
    try:
        plan = read_plan(uri, plan_name)[1]
    except StoreError:
        return False
    return any(task_of(kind).has_network(plan.config) for kind in {*plan.splits, *plan.folds})


def run_job(uri: str, plan_name: str, job: Job) -> dict[str, float]:
    """Do one job and return its seconds by stage. The block appears in the store whole or not at all.

    A block without any symbol that can be fitted is written too: empty, with the reasons. All folders of the run are
    marked as in use, so a run may last longer than pruning's grace period, as long as no single job does. The number
    of threads is set to the run's everywhere, because linear algebra sums in another order with other threads.

    Raises
    ------
    StoreError, ModelError
        The plan, the staged bars or the pooled fit are missing; the same command makes them again.
    """
    store, plan, universe, context = read_plan(uri, job.plan or plan_name)
    mark_in_use(store, plan.folders)
    if is_finished(store, job.output):  # by another run of the same plan
        logger.info("%s exists already", job.label)
        return {}
    logger.info("%s started (%d symbols)", job.label, len(job.symbols))
    with threadpool_limits(max(1, int(plan.config.run.cpus_per_worker))):
        seconds = _do(store, plan, universe, context, job)
    stages = ", ".join(f"{stage} {value:.1f}" for stage, value in seconds.items())
    logger.info("%s done in %.1f s (%s)", job.label, sum(seconds.values()), stages)
    return seconds


def _do(
    store: Store, plan: RunPlan, universe: UniverseTable, context: MarketContext | None, job: Job
) -> dict[str, float]:
    clock, config = _Clock(), plan.config
    panel = _panel(store, plan, universe, context, job)
    task = task_of(job.kind)
    if job.fold is None:
        split = plan.split(job.kind)
    else:
        first = task.first_row(panel, config)
        panel, split = fold_panel(panel, plan.fold(job.kind, job.fold), config.section(job.kind).horizon, first)
    examples = task.examples(panel, split, config)
    clock.lap("features")
    skipped = examples.insufficient_data()
    chosen = examples.select(tuple(symbol for symbol in panel.symbols if symbol not in skipped))
    newest = None
    if config.run.refit and not job.is_tested:
        newest = task.examples(panel, split, config, newest=True)
    if not job.is_block:
        if not chosen.rows:
            raise DataError(
                f"{job.kind}: none of {len(skipped)} symbols can be fitted; {next(iter(skipped))}: "
                f"{next(iter(skipped.values()))}. Give longer histories, or move the split."
            )
        tested = read_block(store, job.needs).arrays if job.needs else None
        rows = chosen if newest is None or tested is None else newest.select(chosen.panel.symbols)
        predictor = predictor_class(job.kind)(config)
        if job.part is None:
            arrays = predictor.fit_from_parts(rows, tested, [read_block(store, part).arrays for part in job.parts])
        else:
            arrays = predictor.fit_part(job.part, rows, tested)
        block = Block(job.kind, (), arrays)
        clock.lap("fit")
    else:
        if job.fit is None:
            block = _fit_block(store, job, chosen, newest, config, clock)
        else:
            block = _fold_block(store, job, job.fit, chosen, config, clock)
        block.metrics["skipped"] = skipped
    write_block(store, job.output, block, share=job.fit is None and _shares(job, block))
    clock.lap("write")
    return clock.seconds


def _panel(store: Store, plan: RunPlan, universe: UniverseTable, context: MarketContext | None, job: Job) -> Panel:
    """Return the features of a job's bars; those of the last jobs of folds, which share bars, are kept."""
    key = (store.uri, plan.name, job.inputs)
    if job.fold is not None and key in _panels:
        return _panels[key]
    bars = [one for name, symbols in job.inputs for one in read_staged(store, name, symbols)]
    label = plan.config.direction.label
    panel = build_panel(bars, plan.config.features, universe, context, label, columns=plan.feature_names)
    if job.fold is not None:
        while len(_panels) >= _KEPT_PANELS:
            _panels.pop(next(iter(_panels)))
        _panels[key] = panel
    return panel


def _fit_block(
    store: Store, job: Job, examples: Examples, newest: Examples | None, config: Config, clock: _Clock
) -> Block:
    """Fit and test a block; where ``newest`` rows are given, it holds the fit on them, and the figures of the test.

    A symbol that fails in either fit is in neither.
    """
    pooled = read_block(store, job.needs).arrays if job.needs else {}
    tested = pooled if newest is None or not job.needs else read_block(store, job.tested).arrays
    predictor = _fit(examples, tested, config, job.kind)
    published, failed = predictor, predictor.failures
    if newest is not None and predictor.symbols:
        published = _fit(newest.select(predictor.symbols), pooled, config, job.kind, predictor)
        failed = failed | published.failures
    clock.lap("fit")
    metrics: dict[str, Any] = {"per_symbol": {}, "failed": failed}
    if not published.symbols:
        return Block(job.kind, (), {}, {}, metrics)
    evaluation = evaluate(predictor, examples.select(published.symbols))
    clock.lap("evaluate")
    metrics["per_symbol"] = evaluation.per_symbol
    state = evaluation.adapted if newest is None else published
    metrics["newest"] = newest_forecasts(state, examples.panel)
    arrays = state.to_arrays() | prefixed("daily", evaluation.daily)
    return Block(job.kind, state.symbols, arrays, state.meta(), metrics, evaluation.table)


def _fold_block(store: Store, job: Job, fit: str, examples: Examples, config: Config, clock: _Clock) -> Block:
    """Test the fit of a fold, which is stored by itself: more bars after the fit change its test only."""
    if not is_finished(store, fit):
        predictor = _fit(examples, read_block(store, job.needs).arrays if job.needs else {}, config, job.kind)
        arrays, meta = (predictor.to_arrays(), predictor.meta()) if predictor.symbols else ({}, {})
        figures: dict[str, Any] = {"failed": predictor.failures, "per_symbol": {}}
        figures["parameters"] = predictor.fitted_parameters(arrays, config) if arrays else {}
        fitted = Block(job.kind, predictor.symbols, arrays, meta, figures)
        write_block(store, fit, fitted, share=_shares(job, fitted))
        clock.lap("fit")
    fitted = read_block(store, fit)
    metrics: dict[str, Any] = {"failed": fitted.metrics["failed"], "per_symbol": {}}
    metrics["parameters"] = fitted.metrics["parameters"]
    if not fitted.symbols:
        return Block(job.kind, (), {}, {}, metrics)
    predictor = predictor_from_block(fitted)
    evaluation = evaluate(predictor, examples.select(predictor.symbols))
    clock.lap("evaluate")
    metrics["per_symbol"] = evaluation.per_symbol
    return Block(job.kind, fitted.symbols, prefixed("daily", evaluation.daily), {}, metrics, evaluation.table)


def _shares(job: Job, block: Block) -> bool:
    """Whether arrays of a block may be those of the pooled fit."""
    return job.is_block and job.needs is not None and bool(block.symbols)


def _fit(
    examples: Examples,
    pooled: Mapping[str, npt.NDArray[Any]],
    config: Config,
    kind: str,
    tested: BarsPredictor | None = None,
) -> BarsPredictor:
    """Return a predictor fitted on every symbol of the examples, of which there may be none."""
    predictor = predictor_class(kind)(config)
    return predictor.fit_examples(examples, pooled, tested) if examples.rows else predictor


class _Clock:
    """Wall seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._last
        self._last = now
