"""Train the kinds that are due again, by the settings of their champions, as ``fleetcast train`` does.

Finished blocks are cached: a run that is interrupted, or whose budget ends, is continued by the next one on the same
bars, and the last one publishes. Promotion is decided by the gate of every training; none is promoted during a hold.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from configs.errors import DatabaseError, FleetcastError, last_line
from configs.load import validated
from configs.schema import Config
from configs.values import Kind
from features.store.heartbeat import beating
from serving.alerts.events import Alert
from serving.alerts.outbox import raise_alerts
from serving.journal.database import Journal
from serving.journal.leases import Lease, acquire
from serving.retraining.order import within_budget
from serving.retraining.plan import KindPlan
from serving.retraining.training_records import begin_run, end_run, lease_name, newest_run, unfinished
from training.registry.manager import ModelManager
from training.registry.runs import mark_in_use
from training.run.execute import do_jobs
from training.run.publication import publish_kind
from training.run.run_plan import RunPlan
from training.trainer import Callbacks, ModelTrainer

logger = logging.getLogger(__name__)

Cluster = Callable[[], AbstractContextManager[None]]
_TERM_S = 120.0
_RUNNING = "another process trains it"


@dataclass(frozen=True, slots=True)
class Retrained:
    """What became of a kind: its new version, whether it is champion, blocks that are left, and a sentence."""

    kind: Kind
    version: str | None
    promoted: bool
    left: int
    text: str
    failed: bool = False


def retrain(
    journal: Journal,
    models: ModelManager,
    config: Config,
    bot: str,
    plans: Sequence[KindPlan],
    now: datetime | None = None,
    *,
    cluster: Cluster = nullcontext,
    callbacks: Callbacks | None = None,
) -> list[Retrained]:
    """Train the kinds that are due, one after the other; a kind that fails does not stop the next.

    Parameters
    ----------
    journal, models, config, bot
        As for :func:`.plan_retraining`; ``config.run`` says how many workers train.
    plans
        What it returned.
    now
        The bot's time, aware. If given, bars after its day are not used.
    cluster
        Returns a context in which Ray is connected; by default trainings run in this process.
    callbacks
        Of the training's progress.
    """
    done = []
    for plan in plans:
        if not plan.due.is_due:
            continue
        lease = acquire(journal, lease_name(plan.kind), term_s=_TERM_S)
        if lease is None:
            done.append(Retrained(plan.kind, None, False, 0, _RUNNING, failed=True))
            continue
        try:
            with beating(_TERM_S / 4, lambda lease=lease: _renewed(lease)):  # type: ignore[misc]
                done.append(_retrain(journal, models, config, bot, plan, now, cluster, callbacks or Callbacks(), lease))
        finally:
            lease.release()
    return done


def _retrain(
    journal: Journal,
    models: ModelManager,
    config: Config,
    bot: str,
    plan: KindPlan,
    now: datetime | None,
    cluster: Cluster,
    callbacks: Callbacks,
    lease: Lease,
) -> Retrained:
    started = now or datetime.now(UTC)
    with journal.begin() as connection:
        before = newest_run(connection, plan.kind)
        pinned = (before.data or {}).get("until") if before is not None and unfinished(before) else None
        until = pinned or (started.date().isoformat() if now or config.retrain.budget_symbols else None)
        replaced = plan.champion
        if before is not None and before.finished_at is None:  # it may have published and promoted before it ended
            replaced = (before.data or {}).get("champion", replaced)
        data: dict[str, Any] = {"until": until, "champion": replaced, "bot": bot}
        identifier = begin_run(connection, plan.kind, plan.due.reason, started, len(plan.order), data)
    try:
        result = _train(models, config, plan, until, cluster, callbacks, replaced)
    except Exception as error:
        text = last_line(error)
        if not isinstance(error, FleetcastError):
            logger.exception("retraining of %s failed", plan.kind)
            text = f"{type(error).__name__}: {text}"
        result = Retrained(plan.kind, None, False, 0, text, failed=True)
    finished = now or datetime.now(UTC)
    with journal.begin() as connection:
        lease.guard(connection)
        end_run(
            connection,
            identifier,
            finished,
            data | {"left": result.left, "decision": result.text},
            version=result.version,
            promoted=result.promoted if result.version else None,
            error=result.text if result.failed else None,
        )
        alert = _alert(bot, plan, result, finished, identifier)
        raise_alerts(connection, [alert], timedelta(hours=config.alerts.repeat_hours))
    return result


def _renewed(lease: Lease) -> bool:
    """Renew the lease; while the database does not answer, try again."""
    try:
        return lease.renew()
    except DatabaseError:
        return True


def _train(
    models: ModelManager,
    config: Config,
    plan: KindPlan,
    until: str | None,
    cluster: Cluster,
    callbacks: Callbacks,
    replaced: str | None,
) -> Retrained:
    trainer = ModelTrainer(training_config(models, config, plan, until), models.store)
    prepared = trainer.prepare(callbacks=callbacks)
    order = [one.symbol for one in plan.order]
    waiting = {job.output: job.symbols for job in prepared.plan.blocks(plan.kind) if job.output not in prepared.done}
    now_fitted, left = within_budget(waiting, order, config.retrain.budget_symbols)
    some = _only(prepared.plan, order, set(left))
    with nullcontext() if prepared.is_finished else cluster():
        if left:
            do_jobs(trainer.store, some, prepared.done, callbacks.progress)
            fitted = sum(len(waiting[output]) for output in now_fitted)
            beyond = sum(len(waiting[output]) for output in left)
            text = f"{fitted:,} symbols were fitted; {beyond:,} are left for the next runs"
            return Retrained(plan.kind, None, False, len(left), text)
        queue = do_jobs(trainer.store, some, prepared.done, callbacks.progress)
    mark_in_use(trainer.store, prepared.plan.folders)
    result = publish_kind(models, prepared.plan, plan.kind, queue, "never" if plan.hold_until else "auto")
    promoted = result.version is not None and result.champion == result.version != replaced
    text = result.decision
    if plan.hold_until:
        text = f"not promoted: promotions are on hold until {plan.hold_until:%Y-%m-%d} after a rollback"
    return Retrained(plan.kind, result.version, promoted, 0, text, failed=result.version is None)


def training_config(models: ModelManager, config: Config, plan: KindPlan, until: str | None) -> Config:
    """Return the settings of a kind's champion, for the newest bars or those up to a day."""
    champion = plan.champion or "champion"
    found = validated(models.manifest(plan.kind, champion).config, f"the settings of {plan.kind} {champion}")
    data = found.data.model_copy(update={"end": None if until is None else date.fromisoformat(until)})
    how = {name: getattr(config.run, name) for name in ("workers", "retries")}
    run = found.run.model_copy(update={"kinds": (plan.kind,), **how})
    return found.model_copy(update={"data": data, "run": run})


def _only(plan: RunPlan, order: Sequence[str], left: set[str]) -> RunPlan:
    """Return the plan without some blocks, the most urgent blocks first."""
    rank = {symbol: place for place, symbol in enumerate(order)}
    jobs = [job for job in plan.jobs if job.output not in left]
    jobs.sort(key=lambda job: (job.is_block, min((rank.get(one, -1) for one in job.symbols), default=-1)))
    return plan.model_copy(update={"jobs": tuple(jobs)})


def _alert(bot: str, plan: KindPlan, result: Retrained, at: datetime, identifier: str) -> Alert:
    state = "promoted" if result.promoted else "not promoted"
    title = f"{plan.kind}: {result.version} is {state}" if result.version else f"{plan.kind}: no new version"
    return Alert(
        bot,
        "retraining",
        plan.kind,
        at,
        title,
        f"{result.text}.\nWhy it was trained: {plan.due.reason}.",
        severity="warning" if result.failed else "info",
        data={"version": result.version, "promoted": result.promoted, "left": result.left},
        occurrence=identifier,
    )
