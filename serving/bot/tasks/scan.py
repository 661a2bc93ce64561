"""Forecast the bars that have closed, and trade on them."""

from __future__ import annotations

from configs.errors import shortened
from configs.words import counted
from serving.bot.schedule import Due
from serving.bot.services import Services
from serving.bot.task import TaskSpec


def _run(services: Services, due: Due) -> str:
    report = services.scanner.scan(services.the_lease(), services.clock(), services.stopped)
    text = counted(len(report.instants), "step")
    if report.instants:
        traded = sum(one["action"] in ("buy", "sell") for one in report.signals)
        text += f" to {report.instants[-1]:%Y-%m-%d %H:%M}Z, {counted(traded, 'position')} to change"
    if report.problems:
        name, reason = next(iter(sorted(report.problems.items())))
        text += f"; not traded: {shortened(sorted(report.problems))} ({name}: {reason})"
    return text


SPEC = TaskSpec(
    name="scan",
    title="forecasts, signals and orders of closed bars",
    place=20,
    schedule="every 10m",
    run=_run,
    after=("fetch",),
)
