"""Forecast the bars that have closed, and trade on them."""

from __future__ import annotations

import time
from collections import Counter

from configs.errors import shortened
from configs.words import counted
from serving.bot.catalog import schedules
from serving.bot.scanner import ScanReport
from serving.bot.schedule import Due
from serving.bot.task import TaskSpec
from serving.bot.task_services import Services


def _run(services: Services, due: Due) -> str:
    began = time.perf_counter()
    report = services.scanner.scan(services.the_lease(), services.clock(), services.stopped)
    if services.metrics is not None:
        _count(services, report, time.perf_counter() - began)
    text = counted(len(report.instants), "step")
    if report.instants:
        traded = sum(one["action"] in ("buy", "sell") for one in report.signals)
        text += f" to {report.instants[-1]:%Y-%m-%d %H:%M}Z, {counted(traded, 'position')} to change"
    if report.problems:
        name, reason = next(iter(sorted(report.problems.items())))
        text += f"; not traded: {shortened(sorted(report.problems))} ({name}: {reason})"
    return text


def _count(services: Services, report: ScanReport, seconds: float) -> None:
    assert services.metrics is not None
    now, schedule = services.clock(), schedules(services.config.bot.schedules).get(SPEC.name)
    period_s = 0.0
    if schedule is not None:
        period_s = (schedule.after(schedule.after(now)) - now).total_seconds() / 2
    states = {"traded": report.symbols - len(report.problems), "not traded": len(report.problems)}
    services.metrics.scanned(now, seconds, period_s, states)
    services.metrics.traded(Counter(one["action"] for one in report.signals), {"open": report.orders})


SPEC = TaskSpec(
    name="scan",
    title="forecasts, signals and orders of closed bars",
    place=20,
    schedule="every 10m",
    run=_run,
    after=("fetch",),
)
