"""Record what became of predictions whose horizon is over, and revisions."""

from __future__ import annotations

from configs.words import counted
from serving.bot.schedule import Due
from serving.bot.task import TaskSpec
from serving.bot.task_services import Services


def _run(services: Services, due: Due) -> str:
    return counted(services.scanner.fill_outcomes(services.the_lease(), services.clock()), "outcome")


SPEC = TaskSpec(
    name="outcomes",
    title="outcomes of predictions",
    place=30,
    schedule="every 30m",
    run=_run,
    after=("scan",),
)
