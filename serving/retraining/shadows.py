"""Shadows: a former champion keeps forecasting next to its successor, and comes back when it proves better.

The registry says who is champion, the journal how a comparison stands. A promotion from anywhere (a training, the
command line) starts a shadow when it is seen. A rollback changes the registry first: a process that ends before the
journal knows finds, at the next check, the same evidence and a champion that is already back.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, select, update

from configs.schema import Config
from configs.values import Kind
from serving.alerts.events import Alert
from serving.alerts.outbox import raise_alerts
from serving.journal.database import Journal
from serving.journal.schema import shadows
from serving.journal.upsert import insert_new
from serving.monitoring.evaluations import read_evaluations
from serving.monitoring.paired import PairedTest
from serving.retraining.facts import horizon_of
from training.registry.manager import ModelManager

Guard = Callable[[Connection], None]
ROLLED_BACK, BY_HAND, KEPT, REPLACED, OTHER_TARGET = (
    "rolled back",
    "rolled back by hand",
    "kept",
    "replaced",
    "another target",
)
_HOLDING = (ROLLED_BACK, BY_HAND)


@dataclass(frozen=True, slots=True, eq=False)
class _Check:
    """The stores and settings of a check, who reports it, and its time."""

    journal: Journal
    models: ModelManager
    config: Config
    bot: str
    now: datetime
    guard: Guard | None

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Run a write transaction that is guarded."""
        with self.journal.begin() as connection:
            if self.guard is not None:
                self.guard(connection)
            yield connection

    def report(self, connection: Connection, alert: Alert) -> None:
        """Write an alert."""
        raise_alerts(connection, [alert], timedelta(hours=self.config.alerts.repeat_hours))


@dataclass(frozen=True, slots=True)
class ShadowTest:
    """A champion next to its predecessor: the evidence that it is worse, and the verdict if there is one."""

    kind: Kind
    champion: str
    shadow: str
    since: datetime
    evidence: float
    threshold: float
    days: int
    verdict: str | None = None


def open_shadows(connection: Connection) -> dict[Kind, str]:
    """Return the version of each kind that forecasts as a shadow; its rows are journaled with ``is_shadow``."""
    found = connection.execute(select(shadows.c.kind, shadows.c.shadow).where(shadows.c.ended_at.is_(None)))
    return {row.kind: row.shadow for row in found}


def hold_until(connection: Connection, kind: Kind, config: Config, now: datetime) -> datetime | None:
    """Return until when no version of a kind is promoted by itself, after a rollback; None if one may be."""
    ended = select(shadows.c.ended_at).where(shadows.c.kind == kind, shadows.c.verdict.in_(_HOLDING))
    newest = connection.execute(ended.order_by(shadows.c.ended_at.desc()).limit(1)).scalar()
    end = None if newest is None else newest + timedelta(days=config.retrain.hold_days)
    return end if end is not None and end > now else None


def check_shadows(
    journal: Journal, models: ModelManager, config: Config, bot: str, now: datetime, guard: Guard | None = None
) -> list[ShadowTest]:
    """Judge every shadow by the outcomes so far, bring back those that proved better, and start new ones.

    Calling it again changes nothing until there are new outcomes or promotions.

    Parameters
    ----------
    journal
        With the forecasts of both versions and their outcomes.
    models
        The registry.
    config
        ``retrain``, ``monitoring`` and ``alerts``.
    bot, now
        Who reports it, and its time.
    guard
        Called in each write transaction.
    """
    with journal.connect() as connection:
        rows = list(connection.execute(select(shadows).where(shadows.c.ended_at.is_(None))))
    check = _Check(journal, models, config, bot, now, guard)
    found = [_judge(check, row) for row in rows]
    for kind in models.kinds():
        _start(check, kind)  # type: ignore[arg-type]
    return found


def _judge(check: _Check, row: Row[Any]) -> ShadowTest:
    models, config = check.models, check.config
    settings = config.monitoring.model_copy(update={"false_alarm_rate": config.retrain.alpha})
    kind: Kind = row.kind
    known = set(models.versions(kind))
    if {row.champion, row.shadow} - known:
        return _end(check, row, REPLACED)
    horizon = horizon_of(models, kind, row.champion)
    if horizon_of(models, kind, row.shadow) != horizon:
        return _end(check, row, OTHER_TARGET)
    test = PairedTest.initial(horizon, settings) if row.state is None else PairedTest.from_json(row.state)
    with check.journal.connect() as connection:
        both = read_evaluations(
            connection, kind, horizon, since=row.since - timedelta(days=1), versions=[row.champion, row.shadow]
        )
    ours, theirs = (both[both["version"] == version] for version in (row.champion, row.shadow))
    if len(ours) and len(theirs):
        test = test.after(kind, ours, theirs, settings, check.now)
    present = models.aliases(kind).champion
    evidence = test.evidence(settings)
    state = {"state": test.to_json(), "log_e": math.log(max(evidence, 1e-300)), "n_days": test.steps}
    facts = ShadowTest(kind, row.champion, row.shadow, row.since, evidence, 1.0 / config.retrain.alpha, test.steps)
    if present not in (row.champion, row.shadow):
        return _end(check, row, REPLACED, state)
    if test.is_worse(settings):
        _bring_back(models, kind, row.champion, row.shadow, _reason(facts, test.peak))
        return _end(check, row, ROLLED_BACK, state, _rollback_alert(check, facts, test.peak))
    if present == row.shadow:
        return _end(check, row, BY_HAND, state)
    if test.steps >= config.retrain.shadow_days:
        return _end(check, row, KEPT, state)
    with check.begin() as connection:
        connection.execute(update(shadows).where(_is(row)).values(**state))
    return facts


def _bring_back(models: ModelManager, kind: Kind, champion: str, shadow: str, reason: str) -> None:
    """Make the shadow champion, unless it is or the champion is another one by now."""
    aliases = models.aliases(kind)
    if aliases.champion != champion:
        return
    if aliases.previous == shadow:
        models.rollback(kind, reason)
    else:
        models.promote_over(kind, shadow, champion, reason)


def _start(check: _Check, kind: Kind) -> None:
    """Start the shadow of a champion whose promotion was not seen yet, and report the promotion."""
    aliases, now = check.models.aliases(kind), check.now
    champion, previous = aliases.champion, aliases.previous
    newest = aliases.history[-1] if aliases.history else None
    if champion is None or previous is None or newest is None or newest.action != "promote":
        return
    row = {"kind": kind, "shadow": previous, "since": now, "champion": champion, "log_e": 0.0, "n_days": 0}
    same = and_(shadows.c.kind == kind, shadows.c.shadow == previous, shadows.c.champion == champion)
    with check.begin() as connection:
        if connection.execute(select(shadows.c.since).where(same)).first() is not None:
            return
        left = and_(shadows.c.kind == kind, shadows.c.ended_at.is_(None))
        connection.execute(update(shadows).where(left).values(ended_at=now, verdict=REPLACED))
        connection.execute(insert_new(connection, shadows), row)
        alert = Alert(
            check.bot,
            "promotion",
            kind,
            now,
            f"{kind}: {champion} replaces {previous}",
            f"{newest.reason}. The former champion goes on as a shadow.",
            data={"champion": champion, "previous": previous},
            occurrence=champion,
        )
        check.report(connection, alert)


def _end(
    check: _Check, row: Row[Any], verdict: str, state: dict[str, Any] | None = None, alert: Alert | None = None
) -> ShadowTest:
    values = {"ended_at": check.now, "verdict": verdict, **(state or {})}
    with check.begin() as connection:
        connection.execute(update(shadows).where(_is(row)).values(**values))
        if alert is not None:
            check.report(connection, alert)
    evidence = math.exp(values.get("log_e", row.log_e))
    days = int(values.get("n_days", row.n_days))
    threshold = 1.0 / check.config.retrain.alpha
    return ShadowTest(row.kind, row.champion, row.shadow, row.since, evidence, threshold, days, verdict)


def _is(row: Row[Any]) -> Any:
    return and_(shadows.c.kind == row.kind, shadows.c.shadow == row.shadow, shadows.c.since == row.since)


def _reason(facts: ShadowTest, peak: float) -> str:
    return (
        f"{facts.champion} proved worse than {facts.shadow} in live forecasts: evidence {peak:.1f} of "
        f"{facts.threshold:.0f} after {facts.days} days"
    )


def _rollback_alert(check: _Check, facts: ShadowTest, peak: float) -> Alert:
    return Alert(
        check.bot,
        "rollback",
        facts.kind,
        check.now,
        f"{facts.kind}: {facts.shadow} is champion again",
        f"{_reason(facts, peak)}. No version is promoted by itself for {check.config.retrain.hold_days:g} days.",
        data={"champion": facts.shadow, "replaced": facts.champion, "evidence": peak, "days": facts.days},
        occurrence=facts.champion,
    )
