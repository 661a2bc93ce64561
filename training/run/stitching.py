"""Stitch the blocks of a walk-forward run: one table of forecasts by window, and scores by window and over all."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from features.store.store import Store
from training.data.arrays import part_of
from training.registry.block_files import read_arrays, read_index, read_test
from training.registry.walk_forwards import KindScores, WalkForwardRun, WalkForwards, WindowScores
from training.run.job import Job
from training.run.queue import JobQueue
from training.run.run_plan import RunPlan
from training.tasks import task_of
from training.validation.folds import Fold


def stitch(store: Store, plan: RunPlan, queue: JobQueue, left_over: int) -> WalkForwardRun:
    """Write the forecasts of all windows and their scores; return the run.

    One window's rows are in memory at a time. A symbol whose fit failed has no forecast in that window.

    Raises
    ------
    ModelError
        A file of a block is missing or damaged.
    StoreError
        The store cannot be written; nothing of the run appears.
    """
    runs, kinds, symbols = WalkForwards(store), dict[str, KindScores](), set[str]()
    for kind in plan.config.run.kinds:
        horizon, total, windows = plan.config.section(kind).horizon, None, list[WindowScores]()
        for number in range(len(plan.folds[kind])):
            jobs = [job for job in plan.blocks(kind) if job.fold == number]
            scores, daily, names = _window(store, runs, plan, plan.fold(kind, number), jobs, queue.failed)
            windows.append(scores)
            symbols |= names
            if daily is not None:
                total = daily if total is None else task_of(kind).sums.merge(total, daily)
        metrics = {} if total is None else total.summary(horizon)
        kinds[kind] = KindScores(kind=kind, horizon=horizon, metrics=metrics, windows=tuple(windows))
    run = WalkForwardRun(
        name=plan.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        config=plan.config.of_models() | {"walk_forward": plan.config.walk_forward.model_dump(mode="json")},
        data_hash=plan.data_hash,
        bars=str(plan.config.data.bars),
        symbols=tuple(sorted(symbols)),
        left_over=left_over,
        kinds=kinds,
        inputs=tuple(dict.fromkeys(part for job in plan.jobs if job.is_block for part in job.inputs)),
        market=plan.market,
        feature_names=plan.feature_names,
    )
    runs.write(run)
    return runs.read(run.name)


def _window(
    store: Store,
    runs: WalkForwards,
    plan: RunPlan,
    fold: Fold,
    jobs: Iterable[Job],
    given_up: Mapping[str, str],
) -> tuple[WindowScores, Any, set[str]]:
    """Return the scores of one window, its daily sums (None without a fitted symbol), and the fitted symbols."""
    tables, daily = list[pa.Table](), None
    skipped, failed, fitted, blocks = dict[str, str](), dict[str, str](), set[str](), list[str]()
    kind, parameters = "", list[tuple[int, Mapping[str, float]]]()
    for job in jobs:
        kind = job.kind
        if job.output in given_up:
            failed |= dict.fromkeys(job.symbols, given_up[job.output])
            continue
        index = read_index(store, job.output)
        skipped |= index.metrics["skipped"]
        failed |= index.metrics["failed"]
        table = read_test(store, job.output, index)
        if not index.metrics["per_symbol"] or table is None:
            continue
        fitted |= index.metrics["per_symbol"].keys()
        parameters.append((len(index.metrics["per_symbol"]), index.metrics["parameters"]))
        blocks.append(job.fit or job.output)
        tables.append(_with_window(table, fold.number))
        part: Any = task_of(kind).sums.from_arrays(part_of(read_arrays(store, job.output, index), "daily"))
        daily = part if daily is None else task_of(kind).sums.merge(daily, part)
    file, sha256 = "", ""
    if tables:
        table = pa.concat_tables(tables).sort_by([("symbol", "ascending"), ("date", "ascending")])
        buffer = io.BytesIO()
        pq.write_table(table, buffer)
        file, sha256 = runs.write_table(plan.name, kind, fold.number, buffer.getvalue())
    scores = WindowScores(
        number=fold.number,
        periods=_periods(fold),
        symbols=len(fitted),
        metrics={} if daily is None else daily.summary(plan.config.section(kind).horizon),
        skipped=skipped,
        failed=failed,
        file=file,
        sha256=sha256,
        blocks=tuple(blocks),
        parameters=_mean(parameters),
    )
    return scores, daily, fitted


def _mean(blocks: Sequence[tuple[int, Mapping[str, float]]]) -> dict[str, float]:
    """Return the mean of each parameter over symbols, given the number of symbols and the means of each block."""
    names = dict.fromkeys(name for _, found in blocks for name in found)
    parts = {name: [(count, found[name]) for count, found in blocks if name in found] for name in names}
    return {name: sum(n * value for n, value in part) / sum(n for n, _ in part) for name, part in parts.items()}


def _with_window(table: pa.Table, number: int) -> pa.Table:
    """Return a block's test table with plain symbols and the number of its window."""
    window = pa.array([number] * table.num_rows, pa.int32())
    return table.set_column(0, "symbol", table["symbol"].cast(pa.string())).add_column(2, "window", window)


def _periods(fold: Fold) -> dict[str, tuple[str, str]]:
    split = fold.split
    days = {
        "train": (fold.train_start, split.train_end),
        "valid": (split.valid_start, split.valid_end),
        "test": (split.test_start, split.test_end),
    }
    return {part: (str(first)[:10], str(last)[:10]) for part, (first, last) in days.items()}
