"""Publish the fitted blocks of one kind as a version: sum their scores, and decide on promotion."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from configs.errors import ModelError
from features.store.concurrent import in_order
from features.store.store import Store
from training.registry.block_files import read_index, read_part
from training.registry.manager import ModelManager
from training.registry.provenance import library_versions
from training.registry.roster import FAILED, SKIPPED
from training.run.job import Job
from training.run.kind_result import SHOWN, KindResult
from training.run.queue import JobQueue
from training.run.run_plan import RunPlan
from training.tasks import task_of
from training.validation.promotion import Decision, Policy, decide
from training.validation.scores import Scores
from training.validation.verdict import verdict

logger = logging.getLogger(__name__)

_COMPARISONS = 5
_SEEN = ("trained_to", "calibrated_to")
_WARNINGS = 100  # in the manifest


def publish_kind(models: ModelManager, plan: RunPlan, kind: str, queue: JobQueue, promote: Policy) -> KindResult:
    """Publish a kind's blocks as a version. Without any fitted symbol there is no version, only the reasons.

    Only a block's index and daily sums are read here. Publishing then reads every file to verify it, so a damaged block
    raises an error even if its sums could be read.
    """
    sums = task_of(kind).sums
    skipped, failed = dict(plan.skipped), dict[str, str]()
    per_symbol, jobs = Scores(), plan.blocks(kind)
    fitted: list[str] = []
    published: dict[str, str] = {}
    newest: dict[str, Any] = {}
    total: Any = None
    for job in jobs:
        if job.output in queue.failed:
            failed |= dict.fromkeys(job.symbols, queue.failed[job.output])
    done = [job for job in jobs if job.output not in queue.failed]
    for job, (metrics, meta, daily) in zip(
        done, in_order(models.store, partial(_read, models.store), done), strict=True
    ):
        skipped |= metrics["skipped"]
        failed |= metrics["failed"]
        known = {*metrics["per_symbol"], *metrics["skipped"], *metrics["failed"]}
        failed |= {symbol: "its block does not mention it" for symbol in job.symbols if symbol not in known}
        per_symbol.add(metrics["per_symbol"])
        if metrics["per_symbol"]:
            fitted.append(job.output)
            newest |= dict(sorted(metrics.get("newest", {}).items())[: max(SHOWN - len(newest), 0)])
            published = {name: max(published.get(name, ""), meta.get(name) or "") for name in _SEEN}
            if daily:  # added one by one: all blocks' sums together would not fit the driver's memory
                part: Any = sums.from_arrays(daily)
                total = part if total is None else sums.merge(total, part)
    horizon = plan.config.section(kind).horizon
    summary = {} if total is None else total.summary(horizon)
    periods = plan.periods(kind)
    reasons = sorted(skipped.items()), sorted(failed.items())
    level = task_of(kind).coverage_level(plan.config)
    result = KindResult(kind, summary, per_symbol, *reasons, periods, published, newest, level)
    if not fitted:
        return replace(result, decision="no symbol was trained, so there is no version")
    version = models.publish(
        kind,
        fitted,
        {
            "config": plan.config.of_models(),
            "data_hash": plan.data_hash,
            "libraries": library_versions(),
            "metrics": summary,
            "notes": {"periods": periods, **published, "warnings": _first(plan.warnings)},
        },
        {symbol: (SKIPPED, why) for symbol, why in skipped.items()}
        | {symbol: (FAILED, why) for symbol, why in failed.items()},
        plan.universe,
    )
    worse_than = verdict(kind, summary).worse_than
    decision = promote_if_better(models, kind, version.version, promote, horizon, worse_than)
    verb = "promoted to champion" if decision.promote else "not promoted"
    champion = models.aliases(kind).champion
    counts = len(per_symbol), len(failed), len(skipped)
    logger.info("%s version %s of %d symbols (%d failed, %d skipped)", kind, version.version, *counts)
    return replace(result, version=version.version, decision=f"{verb}: {decision.reason}", champion=champion)


def _read(store: Store, job: Job) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Return a block's metrics, meta and daily sums."""
    index = read_index(store, job.output)
    if not index.metrics["per_symbol"]:
        return index.metrics, index.meta, {}
    return index.metrics, index.meta, read_part(store, job.output, index, "daily")


def _first(warnings: Sequence[str]) -> list[str]:
    left = len(warnings) - _WARNINGS
    return [*warnings[:_WARNINGS], *([f"and {left} more"] if left > 0 else [])]


def promote_if_better(
    models: ModelManager, kind: str, version: str, promote: Policy, horizon: int, worse_than: Sequence[str] = ()
) -> Decision:
    """Compare a version with the champion and promote it if it is better; compare again if the champion has changed.

    ``worse_than`` names baselines that beat the version on the test period: such a version is no first champion. A
    champion of an incompatible schema cannot be compared, and stays unless ``promote`` is ``always``.

    Raises
    ------
    ModelError
        A file of either version is missing or corrupt.
    """
    for _ in range(_COMPARISONS):
        before = models.aliases(kind).champion
        try:
            decision = _decision(models, kind, version, before, promote, horizon, worse_than)
        except ModelError:
            if models.aliases(kind).champion == before:
                raise
            logger.info("%s champion %s was replaced while it was compared: the next one is compared", kind, before)
            continue  # it was also pruned while it was read
        if not decision.promote or models.promote_over(kind, version, before, decision.reason):
            verb = "promoted" if decision.promote else "not promoted"
            logger.info("%s version %s is %s (--promote %s): %s", kind, version, verb, promote, decision.reason)
            return decision
    return Decision(False, f"the champion changed {_COMPARISONS} times during the comparison; promote it by hand")


def _decision(
    models: ModelManager,
    kind: str,
    version: str,
    champion: str | None,
    promote: Policy,
    horizon: int,
    worse_than: Sequence[str],
) -> Decision:
    challenger = models.test_losses(kind, version)
    try:
        other = models.test_losses(kind, champion) if champion else None
    except ModelError as error:
        if champion not in models.versions(kind):
            raise
        return Decision(promote == "always", f"it cannot be compared with the champion: {error}")
    return decide(challenger, other, promote, horizon - 1, worse_than)
