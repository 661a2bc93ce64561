"""Show that the bot lives: metrics for Prometheus, from what the journal has."""

from __future__ import annotations

from sqlalchemy import func, select

from serving.bot.schedule import Due
from serving.bot.task import TaskSpec
from serving.bot.task_services import Services
from serving.journal.schema import accounts, deliveries


def _run(services: Services, due: Due) -> str:
    now = services.clock()
    newest = select(accounts).where(accounts.c.bot == services.bot).order_by(accounts.c.instant.desc()).limit(1)
    waiting = select(func.count()).select_from(deliveries).where(deliveries.c.state == "waiting")
    with services.journal.connect() as connection:
        account = connection.execute(newest).one_or_none()
        undelivered = connection.execute(waiting).scalar_one()
    if services.metrics is not None:
        services.metrics.heartbeat(now, is_leader=True)
        services.metrics.undelivered(undelivered)
        if account is not None:
            services.metrics.account(account.equity, account.gross, account.drawdown)
    return f"at {now:%H:%M:%S}Z"


SPEC = TaskSpec(
    name="heartbeat",
    title="a sign of life",
    place=70,
    schedule="every 30s",
    run=_run,
)
