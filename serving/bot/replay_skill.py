"""What monitoring says of a replay, next to the losses of the same forecasts in their backtest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from configs.monitoring import MonitoringConfig
from serving.bot.past import PastFeed
from serving.journal.database import Journal
from serving.monitoring.forecast_rows import LOSS
from serving.monitoring.monitor import Monitor
from training.backtesting.forecasts import OutOfSample
from training.metrics.comparison import MetricSummary

_ALL_DAYS = 10_000


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
        By test: the date on which it raised an alarm.
    """

    rows: int
    days: int
    loss: float
    baseline_loss: float
    backtest_loss: float
    alarms: dict[str, str]


def replay_skill(
    journal: Journal, found: OutOfSample, feed: PastFeed, settings: MonitoringConfig, now: datetime
) -> dict[str, ReplaySkill]:
    """Return the live skill by kind at the end of a replay."""
    config = settings.model_copy(update={"skill_days": _ALL_DAYS})
    out: dict[str, ReplaySkill] = {}
    for report in Monitor(journal, None, config).run(now).kinds:
        summary, loss = MetricSummary(report.scores), LOSS[report.kind]
        out[report.kind] = ReplaySkill(
            rows=int(report.scores.get("rows", 0)),
            days=int(report.scores.get("days", 0)),
            loss=float(summary.model(loss).value),
            baseline_loss=float(summary.model(loss).value - summary.difference(loss, report.baseline).value),
            backtest_loss=_recorded_loss(found, feed, report.kind),
            alarms={name: alarm.date for name, alarm in report.alarms.items()},
        )
    return out


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
