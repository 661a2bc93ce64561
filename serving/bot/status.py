"""Whether a bot lives, what it holds and earned, and what its tasks did, read from the journal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select

from serving.bot.catalog import catalog
from serving.bot.leader import lease_name
from serving.bot.pace import Pace, scan_schedule
from serving.bot.registration import registration_of
from serving.bot.runs import DONE, newest_runs
from serving.bot.schedule import Every
from serving.journal.database import Journal
from serving.journal.leases import FREE, is_valid
from serving.journal.schema import accounts, alerts, fills, leases, orders, positions, signals, steps, task_runs

_SILENT_PERIODS = 2
_SKEW = timedelta(minutes=1)  # between clocks; later times were written before a clock was set back


@dataclass(frozen=True, slots=True)
class BotStatus:
    """What a bot is doing at a time ``at``.

    Attributes
    ----------
    holder, lives_until
        The process that leads, and until when its lease is valid; empty and None if none does.
    stopped_at
        When it was stopped on purpose; None while it runs, after it was killed, and if its runs are started from
        outside.
    schedule, scan_period_s
        When it scans, in the form of ``bot.schedules``; None for a bot that does not scan by itself, of which the
        period is then that of its past scans. A schedule of cron has no period.
    last_scan, silent_periods, next_scan
        When the last scan ended well, how many scans were due since, and when the next one is. No scan is due between
        a stop on purpose and the start after it.
    step
        Close of the bars of its newest step.
    account, positions
        Rows of the newest step; amounts are money. Realised and unrealised profits are before costs.
    interest
        What the account has paid for borrowed money since the bot began, less what it was paid.
    orders
        That wait for the next bar of their symbol: rows with ``left``, the units that are not filled yet, and
        ``fills_at``, the price of that bar at which they are (``open``, ``close`` or ``vwap``; None if not known).
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
    stopped_at: datetime | None
    schedule: str | None
    scan_period_s: float | None
    last_scan: datetime | None
    silent_periods: int
    next_scan: datetime | None
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


def bot_status(journal: Journal, bot: str, now: datetime) -> BotStatus:
    """Return the status of a bot at a time (aware)."""
    with journal.connect() as connection:
        return read_status(connection, bot, now)


def read_status(connection: Connection, bot: str, now: datetime) -> BotStatus:
    """Return the status of a bot at a time (aware), from one state of the journal."""
    tasks = newest_runs(connection, bot)
    lease = connection.execute(select(leases).where(leases.c.name == lease_name(bot))).one_or_none()
    leader = lease if lease is not None and lease.holder != FREE and is_valid(lease.expires_at, now) else None
    registered = registration_of(connection, bot)
    own_schedules = registered is not None and bool(registered.schedules)
    stopped_at = registered.stopped_at if registered is not None and own_schedules and leader is None else None
    schedule, last_scan = scan_schedule(connection, bot, registered), _last_scan(connection, bot, now)
    since = last_scan
    if since is not None and registered is not None and own_schedules and registered.follows_stop:
        since = max(since, registered.started_at)
    silent = 0 if schedule is None or since is None else schedule.passed(since, now)[1]
    step, notes, fills_at = _newest_step(connection, bot)
    account = _rows(connection, accounts, bot, accounts.c.instant, step)
    is_open = (alerts.c.bot == bot) & alerts.c.resolved_at.is_(None)
    conditions = connection.execute(select(alerts).where(is_open).order_by(alerts.c.created_at)).mappings()
    problems = []
    if leader is None:
        why = "" if stopped_at is None else f": it was stopped at {stopped_at:%Y-%m-%d %H:%M}Z"
        problems.append(f"no process runs bot {bot}{why}")
    if last_scan is None:
        only_steps = registered is None and not tasks and step is not None
        problems.append(f"no scan has ended well yet{': its steps are of a replay' if only_steps else ''}")
    elif silent >= _SILENT_PERIODS and stopped_at is None:
        problems.append(f"no scan for {silent} periods, since {last_scan:%Y-%m-%d %H:%M}Z")
    return BotStatus(
        bot=bot,
        at=now,
        holder="" if leader is None else leader.holder,
        lives_until=None if leader is None else leader.expires_at,
        stopped_at=stopped_at,
        schedule=None if schedule is None or not own_schedules else str(schedule),
        scan_period_s=schedule.period_s if isinstance(schedule, Every | Pace) else None,
        last_scan=last_scan,
        silent_periods=silent,
        next_scan=None if schedule is None or not own_schedules or leader is None else schedule.after(now),
        step=step,
        account=account[0] if account else {},
        positions=tuple(_rows(connection, positions, bot, positions.c.instant, step)),
        interest=float(notes.get("interest", 0.0)),
        orders=tuple(row | {"fills_at": fills_at} for row in _waiting_orders(connection, bot)),
        signals=tuple(_rows(connection, signals, bot, signals.c.bar_close, step)),
        tasks={name: tasks[name] for name in catalog() if name in tasks},
        alerts=tuple(dict(row) for row in conditions),
        problems=tuple(problems),
    )


def _newest_step(connection: Connection, bot: str) -> tuple[datetime | None, Mapping[str, Any], str | None]:
    """Return a bot's newest step, its notes, and the price of a bar at which its orders are filled."""
    fill = steps.c.state["terms"]["fill"].as_string().label("fill")
    own = select(steps.c.instant, steps.c.notes, fill).where(steps.c.bot == bot)
    row = connection.execute(own.order_by(steps.c.instant.desc()).limit(1)).one_or_none()
    return (None, {}, None) if row is None else (row.instant, row.notes, row.fill)


def _waiting_orders(connection: Connection, bot: str) -> list[dict[str, Any]]:
    """Return the orders that are not filled, or in part, with the units that are ``left``."""
    filled = select(func.coalesce(func.sum(fills.c.quantity), 0.0)).where(fills.c.order_id == orders.c.id)
    left = (orders.c.quantity - filled.scalar_subquery()).label("left")
    waits = (orders.c.bot == bot) & orders.c.state.in_(("open", "part"))
    return [dict(row) for row in connection.execute(select(orders, left).where(waits).order_by("symbol")).mappings()]


def newest_signals(journal: Journal, bot: str) -> list[dict[str, Any]]:
    """Return the signals of a bot's newest step, by symbol; none before its first."""
    with journal.connect() as connection:
        step = connection.execute(select(func.max(steps.c.instant)).where(steps.c.bot == bot)).scalar_one_or_none()
        return _rows(connection, signals, bot, signals.c.bar_close, step)


def _last_scan(connection: Connection, bot: str, now: datetime) -> datetime | None:
    done = (task_runs.c.bot == bot) & (task_runs.c.task == "scan") & (task_runs.c.outcome == DONE)
    ended = select(func.max(task_runs.c.finished_at)).where(done, task_runs.c.finished_at <= now + _SKEW)
    return connection.execute(ended).scalar_one_or_none()


def _rows(connection: Connection, table: Any, bot: str, at: Any, instant: datetime | None) -> list[dict[str, Any]]:
    if instant is None:
        return []
    rows = select(table).where(table.c.bot == bot, at == instant)
    if "symbol" in table.c:
        rows = rows.order_by(table.c.symbol)
    return [dict(row) for row in connection.execute(rows).mappings()]
