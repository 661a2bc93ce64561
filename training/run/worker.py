"""What a worker does with a job: read its staged bars, fit, evaluate, and write one block. Knows nothing of Ray."""

from __future__ import annotations

import time

import numpy as np

from configs.errors import DataError
from features.bars import SymbolBars
from features.engineer import build_panel
from training.blocks import Block, read_block, write_block
from training.evaluation import evaluate
from training.examples import Examples, make_examples
from training.predictors import predictor_class
from training.run.plan import POOLED, Job, read_plan
from training.run.staging import read_staged


def run_job(uri: str, plan_name: str, job: Job) -> dict[str, float]:
    """Do one job, and return its seconds by stage. The block appears in the store whole or not at all.

    A block none of whose symbols can be fitted is written too, empty, with the reasons.
    """
    store, plan, universe, context = read_plan(uri, plan_name)
    clock = _Clock()
    bars = [one for name, symbols in job.inputs for one in read_staged(store, name, symbols)]
    panel = build_panel(
        bars, plan.config.features, universe, context, plan.config.direction.label, columns=plan.feature_names
    )
    examples = make_examples(panel, plan.split(job.kind), plan.config, job.kind)
    clock.lap("features")
    predictor = predictor_class(job.kind)(plan.config)
    skipped = examples.unfit() | _broken(bars, examples)
    chosen = examples.select(tuple(symbol for symbol in panel.symbols if symbol not in skipped))
    if job.name == POOLED:
        if not chosen.rows:
            raise DataError(
                f"{job.kind}: none of {len(skipped)} symbols can be fitted; {next(iter(skipped))}: "
                f"{next(iter(skipped.values()))}. Give longer histories, or move the split."
            )
        write_block(store, job.output, Block(job.kind, (), predictor.fit_pooled(chosen)))
        clock.lap("fit")
        return clock.seconds
    if not chosen.rows:
        metrics = {"per_symbol": {}, "skipped": skipped, "failed": {}}
        write_block(store, job.output, Block(job.kind, (), {}, {}, metrics))
        return clock.seconds
    pooled = read_block(store, job.needs).arrays if job.needs else {}
    predictor.fit_examples(chosen, pooled)
    clock.lap("fit")
    evaluation = evaluate(predictor, chosen)
    clock.lap("evaluate")
    arrays = predictor.to_arrays() | {f"daily/{key}": value for key, value in evaluation.daily.items()}
    metrics = {"per_symbol": evaluation.per_symbol, "skipped": skipped, "failed": predictor.failures}
    block = Block(job.kind, predictor.symbols, arrays, predictor.meta(), metrics, evaluation.table)
    write_block(store, job.output, block)
    clock.lap("write")
    return clock.seconds


def _broken(bars: list[SymbolBars], examples: Examples) -> dict[str, str]:
    """Return symbols that train on a price that never moves, with the reason."""
    reasons = {}
    for one, rows in zip(bars, examples.rows, strict=True):
        if len(rows.train) and np.ptp(one.close[rows.train]) == 0:
            reasons[one.symbol] = "the price is constant over the whole training period"
    return reasons


class _Clock:
    """Wall seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._last
        self._last = now
