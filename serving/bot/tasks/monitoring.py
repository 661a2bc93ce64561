"""Judge the forecasts by their outcomes, report alarms, and bring back a former champion that proves better."""

from __future__ import annotations

from datetime import datetime

from configs.words import counted
from serving.alerts.events import Alert
from serving.alerts.outbox import settle
from serving.bot.schedule import Due
from serving.bot.task import TaskSpec
from serving.bot.task_services import Services
from serving.monitoring.monitor import Monitor
from serving.monitoring.sentences import Finding, findings
from serving.retraining.shadows import check_shadows

_EVENTS = ("skill", "drift")


def _run(services: Services, due: Due) -> str:
    lease, now = services.the_lease(), services.clock()
    monitor = Monitor(services.journal, services.manager, services.config.monitoring)
    result = monitor.run(now, drift=True, guard=lease.guard)
    found = findings(result)
    _report(services, found, now)
    compared = check_shadows(services.journal, services.manager, services.config, services.bot, now, guard=lease.guard)
    if services.metrics is not None:
        services.metrics.live(result)
    parts = [counted(len(result.kinds), "kind"), *(one.title for one in found)]
    parts += [f"{one.kind} {one.shadow}: {one.verdict}" for one in compared if one.verdict]
    return "; ".join(parts)


def _report(services: Services, found: list[Finding], now: datetime) -> None:
    """Write an alert for each finding, and end those of findings that are gone."""
    bot, repeat = services.bot, services.repeat
    with services.journal.begin() as connection:
        services.the_lease().guard(connection)
        for event in _EVENTS:
            current = [
                Alert(bot, event, one.key, now, one.title, one.body, data=one.data, occurrence=one.occurrence)
                for one in found
                if one.event == event
            ]
            settle(connection, bot, event, current, now, repeat=repeat)


SPEC = TaskSpec(
    name="monitoring",
    title="live skill, alarms and shadows",
    place=40,
    schedule="every 1h",
    run=_run,
    after=("scan", "outcomes"),
)
