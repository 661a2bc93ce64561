"""Whether a bot lives, what it holds and earned, and what its tasks did, read from the journal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from configs.schema import Config
from serving.bot.catalog import catalog, schedules
from serving.bot.leader import lease_name
from serving.bot.runs import DONE, newest_runs
from serving.bot.schedule import Schedule
from serving.journal.database import Journal
from serving.journal.leases import FREE, is_valid
from serving.journal.schema import accounts, alerts, leases, orders, positions, signals, steps, task_runs

_SILENT_PERIODS = 2


@dataclass(frozen=True, slots=True)
class BotStatus:
    """What a bot is doing at a time ``at``.

    Attributes
    ----------
    holder, lives_until
        The process that leads, and until when its lease is valid; empty and None if none does.
    last_scan, silent_periods
        When the last scan ended well, and how many scans were due since.
    step
        Close of the bars of its newest step.
    account, positions
        Rows of the newest step; amounts are money. Realised and unrealised profits are before costs.
    interest
        What the account has paid for borrowed money since the bot began, less what it was paid.
    orders
        That wait for the next bar of their symbol.
    signals
        Of the newest step.
    tasks
        The newest run of each task.
    alerts
        Open conditions.
    problems
        Why it is not healthy; empty if it is.
    """

    bot: str
    at: datetime
    holder: str
    lives_until: datetime | None
    last_scan: datetime | None
    silent_periods: int
    step: datetime | None
    account: Mapping[str, Any]
    positions: tuple[Mapping[str, Any], ...]
    interest: float
    orders: tuple[Mapping[str, Any], ...]
    signals: tuple[Mapping[str, Any], ...]
    tasks: Mapping[str, Mapping[str, Any]]
    alerts: tuple[Mapping[str, Any], ...]
    problems: tuple[str, ...]

    @property
    def is_healthy(self) -> bool:
        """Whether a process leads and scans on time."""
        return not self.problems


def bot_status(journal: Journal, config: Config, now: datetime) -> BotStatus:
    """Return the status of the bot ``config.bot.name`` at a time (aware)."""
    return status_of(journal, config.bot.name, schedules(config.bot.schedules).get("scan"), now)


def status_of(journal: Journal, bot: str, schedule: Schedule | None, now: datetime) -> BotStatus:
    """Return the status of a bot that scans by a schedule, at a time (aware); None: it does not scan by itself."""
    tasks = newest_runs(journal, bot)
    with journal.connect() as connection:
        lease = connection.execute(select(leases).where(leases.c.name == lease_name(bot))).one_or_none()
        last_scan = _last_scan(connection, bot)
        step = connection.execute(select(func.max(steps.c.instant)).where(steps.c.bot == bot)).scalar_one_or_none()
        account = _rows(connection, accounts, bot, accounts.c.instant, step)
        held = _rows(connection, positions, bot, positions.c.instant, step)
        wanted = _rows(connection, signals, bot, signals.c.bar_close, step)
        waiting = select(orders).where(orders.c.bot == bot, orders.c.state.in_(("open", "part")))
        waits = connection.execute(waiting.order_by(orders.c.symbol)).mappings().all()
        own = select(steps.c.notes).where(steps.c.bot == bot, steps.c.instant == step)
        notes = connection.execute(own).scalar_one_or_none() or {}
        is_open = (alerts.c.bot == bot) & alerts.c.resolved_at.is_(None)
        conditions = connection.execute(select(alerts).where(is_open).order_by(alerts.c.created_at)).mappings().all()
    leader = lease if lease is not None and lease.holder != FREE and is_valid(lease.expires_at, now) else None
    silent = 0 if schedule is None or last_scan is None else schedule.passed(last_scan, now)[1]
    problems = []
    if leader is None:
        problems.append(f"no process runs bot {bot}")
    if last_scan is None:
        problems.append("no scan has ended well yet")
    elif silent >= _SILENT_PERIODS:
        problems.append(f"no scan for {silent} periods, since {last_scan:%Y-%m-%d %H:%M}Z")
    return BotStatus(
        bot=bot,
        at=now,
        holder="" if leader is None else leader.holder,
        lives_until=None if leader is None else leader.expires_at,
        last_scan=last_scan,
        silent_periods=silent,
        step=step,
        account=account[0] if account else {},
        positions=tuple(held),
        interest=float(notes.get("interest", 0.0)),
        orders=tuple(dict(row) for row in waits),
        signals=tuple(wanted),
        tasks={name: tasks[name] for name in catalog() if name in tasks},
        alerts=tuple(dict(row) for row in conditions),
        problems=tuple(problems),
    )


def newest_signals(journal: Journal, bot: str) -> list[dict[str, Any]]:
    """Return the signals of a bot's newest step, by symbol; none before its first."""
    with journal.connect() as connection:
        step = connection.execute(select(func.max(steps.c.instant)).where(steps.c.bot == bot)).scalar_one_or_none()
        return _rows(connection, signals, bot, signals.c.bar_close, step)


def _last_scan(connection: Connection, bot: str) -> datetime | None:
    done = (task_runs.c.bot == bot) & (task_runs.c.task == "scan") & (task_runs.c.outcome == DONE)
    return connection.execute(select(func.max(task_runs.c.finished_at)).where(done)).scalar_one_or_none()


def _rows(connection: Connection, table: Any, bot: str, at: Any, instant: datetime | None) -> list[dict[str, Any]]:
    if instant is None:
        return []
    rows = select(table).where(table.c.bot == bot, at == instant)
    if "symbol" in table.c:
        rows = rows.order_by(table.c.symbol)
    return [dict(row) for row in connection.execute(rows).mappings()]
