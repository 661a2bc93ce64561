"""What monitoring says of a replay, next to the losses of the same forecasts in their backtest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np

from configs.monitoring import MonitoringConfig
from serving.bot.past import PastFeed
from serving.journal.database import Journal
from serving.monitoring.forecast_rows import LOSS, OUTCOME
from serving.monitoring.monitor import Monitor
from serving.monitoring.result import KindReport
from serving.monitoring.states import read_alarms, state_name, write_tested
from serving.monitoring.tested import TestedSkill
from training.backtesting.forecasts import OutOfSample
from training.metrics.comparison import MetricSummary

_ALL_DAYS = 10_000
_LEAST_DAYS = 20  # of forecasts with an outcome, from which a test is measured


@dataclass(frozen=True, slots=True)
class ReplayAlarm:
    """An alarm of a sequential test, or a signal of the control chart, which is to be watched and is no alarm.

    Attributes
    ----------
    test
        ``worse``, ``faded`` or ``coverage``, or ``chart``; see :mod:`serving.monitoring.kind_tests`.
    date
        Of the bars whose outcomes raised it.
    days
        Dates of the account from the planted break to the bar with which these outcomes were known, the first of them
        counted; negative for a false alarm before it, None without a break.
    """

    test: str
    date: str
    days: int | None


@dataclass(frozen=True, slots=True)
class ReplaySkill:
    """The live skill of one kind.

    Attributes
    ----------
    rows, days
        Forecasts with an outcome, and their days.
    loss, baseline_loss
        Log loss of direction, QLIKE of volatility; of the forecasts and of the baseline.
    backtest_loss
        Mean loss of the same rows as the walk-forward run or the test of the version recorded it.
    alarms
        In order. After one, tests begin again with the next model.
    signals
        Of the control chart, in order: each time that it came to its limit.
    """

    rows: int
    days: int
    loss: float
    baseline_loss: float
    backtest_loss: float
    alarms: tuple[ReplayAlarm, ...]
    signals: tuple[ReplayAlarm, ...]


def replay_skill(
    journal: Journal,
    found: OutOfSample,
    feed: PastFeed,
    settings: MonitoringConfig,
    now: datetime,
    broken_from: date | None = None,
) -> dict[str, ReplaySkill]:
    """Return the live skill by kind at the end of a replay.

    Parameters
    ----------
    broken_from
        From which day on returns are scrambled.
    """
    config = settings.model_copy(update={"skill_days": _ALL_DAYS})
    _store_tests(journal, found, feed, settings, broken_from)
    out: dict[str, ReplaySkill] = {}
    for report in Monitor(journal, None, config).run(now).kinds:
        summary, loss = MetricSummary(report.scores), LOSS[report.kind]
        with journal.connect() as connection:
            raised = read_alarms(connection, state_name(report.kind, report.horizon))
        alarms = [(test, one.date) for test, one in raised]
        signals = [("chart", str(day)) for day in _signal_days(report)]
        out[report.kind] = ReplaySkill(
            rows=int(report.scores.get("rows", 0)),
            days=int(report.scores.get("days", 0)),
            loss=float(summary.model(loss).value),
            baseline_loss=float(summary.model(loss).value - summary.difference(loss, report.baseline).value),
            backtest_loss=_recorded_loss(found, feed, report.kind),
            alarms=_dated(alarms, feed, report.horizon, broken_from),
            signals=_dated(signals, feed, report.horizon, broken_from),
        )
    return out


def _store_tests(
    journal: Journal, found: OutOfSample, feed: PastFeed, settings: MonitoringConfig, broken_from: date | None
) -> None:
    """Store what each model's test promises: for a window of a walk-forward run, the windows before it are the test."""
    for kind, models in feed.models().items():
        table, horizon = found.tables[kind], found.config.section(kind).horizon
        if OUTCOME[kind] not in table.columns:
            continue
        dates = table["date"].to_numpy().astype("datetime64[D]")
        for version, first in models.items():
            end = np.datetime64(first if broken_from is None else min(first, str(broken_from)), "D")
            before = np.unique(dates[dates < end])[: -horizon or None]  # later outcomes were not known
            if len(before) >= _LEAST_DAYS:
                own = table[dates <= before[-1]]
                tested = TestedSkill.of(kind, own, horizon, settings.outlier)
                with journal.begin() as connection:
                    write_tested(connection, kind, version, tested)


def _signal_days(report: KindReport) -> list[date]:
    """Return the days on which the control chart came to its limit."""
    above = [one.watch >= report.watch.limit for one in report.history]
    return [one.day for one, now, before in zip(report.history, above, [False, *above], strict=False) if now > before]


def _dated(
    found: Sequence[tuple[str, str]], feed: PastFeed, horizon: int, broken_from: date | None
) -> tuple[ReplayAlarm, ...]:
    """Return alarms or signals (name, date of the bars) with their days from the break."""
    out = list[ReplayAlarm]()
    for test, day in found:
        days = None
        if broken_from is not None:
            row, begin = (int(np.searchsorted(feed.dates, np.datetime64(one, "ns"))) for one in (day, str(broken_from)))
            days = days_after(row - begin, horizon)
        out.append(ReplayAlarm(test, day[:10], days))
    return tuple(out)


def days_after(rows: int, horizon: int) -> int:
    """Return the dates from a break to the bar with which the outcome of a forecast, so many rows after it, is known.

    The date of the break is the first. An outcome that was known before the break has a negative number.

    Examples
    --------
    >>> days_after(0, 5), days_after(-5, 5), days_after(-6, 5)
    (6, 1, -1)
    """
    known = rows + horizon
    return known + 1 if known >= 0 else known


def _recorded_loss(found: OutOfSample, feed: PastFeed, kind: str) -> float:
    """Return the mean recorded loss of the replayed forecasts whose outcome was known at the end."""
    table, horizon = found.tables[kind], found.config.section(kind).horizon
    if "loss" not in table.columns:
        return float("nan")
    dates, losses = table["date"].to_numpy().astype("datetime64[ns]"), table["loss"].to_numpy(np.float64)
    counted = np.zeros(len(table), bool)
    names = table["symbol"].astype(str).to_numpy()
    for name, own in feed.bar_dates.items():
        known = own[own <= feed.dates[-1]][: -horizon or None]
        counted |= (names == name) & np.isin(dates, known) & (dates >= feed.dates[0])
    return float(np.nanmean(losses[counted])) if counted.any() else float("nan")
