"""Write a step to the journal, and read what the next one goes on from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Table, select, update

from configs.errors import BotError
from serving.bot.state import BotState
from serving.bot.step_result import StepAlert, StepResult
from serving.journal.database import Journal
from serving.journal.leases import Lease
from serving.journal.schema import accounts, fills, orders, positions, signals, steps
from serving.journal.upsert import insert, insert_new

RaiseAlerts = Callable[[Connection, StepResult, Sequence[StepAlert]], None]


def write_step(
    journal: Journal,
    lease: Lease,
    result: StepResult,
    raise_alerts: RaiseAlerts | None = None,
    *,
    started_at: datetime | None = None,
    not_before: datetime | None = None,
) -> bool:
    """Write all rows of a step in one transaction; return False, and write nothing, if it is in the journal already.

    The state of the step is stored with it, and that of earlier ones is removed: only the newest is gone on from.

    Parameters
    ----------
    lease
        Its token is checked in the transaction, so that a former leader writes nothing.
    raise_alerts
        Writes the alerts in the same transaction, given its connection.
    started_at
        When work on the step began (aware); by default, now.
    not_before
        When the newest of its forecasts was made (aware). The step ends after it, whatever a clock that was set back
        says: those made later are not part of it.

    Raises
    ------
    LeaseLostError
        Another process leads the bot.
    DatabaseError, DatabaseUnavailableError
        It cannot be written; nothing of the step is.
    """
    with journal.begin() as connection:
        lease.guard(connection)
        now = datetime.now(UTC)
        row = {
            "bot": result.bot,
            "instant": result.instant,
            "started_at": started_at or now,
            "finished_at": max(now, not_before or now),
            "symbols": len(result.signals),
            "notes": result.notes,
            "state": result.state.as_json(),
        }
        if connection.execute(insert_new(connection, steps).returning(steps.c.bot), row).first() is None:
            return False
        earlier = (steps.c.bot == result.bot) & (steps.c.instant < result.instant) & steps.c.state.is_not(None)
        connection.execute(update(steps).where(earlier).values(state=None))
        own = {"bot": result.bot, "bar_close": result.instant, "bar_date": result.bar_date, "strategy": result.strategy}
        _insert(connection, signals, [own | one for one in result.signals])
        _put_orders(connection, result.order_rows)
        _insert(connection, fills, result.fill_rows)
        _insert(connection, positions, result.position_rows)
        _insert(connection, accounts, [result.account_row])
        if raise_alerts is not None:
            raise_alerts(connection, result, result.alerts)
        return True


def read_state(journal: Journal, bot: str) -> BotState | None:
    """Return the state after a bot's newest step; None before its first.

    Raises
    ------
    BotError
        There is none, it cannot be read, or another version of Fleetcast wrote it.
    """
    newest = select(steps.c.instant, steps.c.state).where(steps.c.bot == bot).order_by(steps.c.instant.desc()).limit(1)
    with journal.connect() as connection:
        found = connection.execute(newest).one_or_none()
    if found is None:
        return None
    if found.state is None:  # going on would begin with new money
        raise BotError(
            f"the newest step of bot {bot}, of {found.instant:%Y-%m-%d %H:%M}Z, has no state to go on from: steps "
            "after it were deleted. Restore the journal from a copy, or begin a bot with another name."
        )
    return BotState.of_json(found.state)


def _insert(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        connection.execute(table.insert(), list(rows))


def _put_orders(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Write orders; one that exists gets its new state."""
    if rows:
        statement = insert(connection, orders)
        connection.execute(
            statement.on_conflict_do_update(index_elements=["id"], set_={"state": statement.excluded.state}),
            list(rows),
        )
