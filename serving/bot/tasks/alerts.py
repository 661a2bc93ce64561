"""Send the alerts that wait in the journal."""

from __future__ import annotations

from configs.words import counted
from serving.alerts.deliver import deliver
from serving.bot.schedule import Due
from serving.bot.task import TaskSpec
from serving.bot.task_services import Services


def _run(services: Services, due: Due) -> str:
    done = deliver(services.journal, services.bot, services.config.alerts, clock=services.clock)
    sent = {name: counted(one.sent, "message") + (f", {one.error}" if one.error else "") for name, one in done.items()}
    parts = [f"{name}: {text}" for name, text in sent.items()]
    return "; ".join(parts) or "no channel is configured"


SPEC = TaskSpec(
    name="alerts",
    title="alerts to Telegram and other services",
    place=60,
    schedule="every 1m",
    run=_run,
    after=("scan",),
)
