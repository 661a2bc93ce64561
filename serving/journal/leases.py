"""Leases: one process at a time does something, and what a paused former holder still writes is refused.

The token of a lease grows whenever its holder changes (a *fencing token*). A transaction that calls
:meth:`Lease.guard` commits only if the token is still the newest one.
"""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, select, update

from configs.errors import ConfigError, LeaseLostError, shown
from serving.journal.database import Journal
from serving.journal.schema import leases
from serving.journal.types import aware
from serving.journal.upsert import insert_new

Clock = Callable[[], datetime]
FREE = ""
_LONGEST_TERM_S = 3_600.0


@dataclass(frozen=True, slots=True, eq=False)
class Lease:
    """A lease that :func:`acquire` has returned.

    Attributes
    ----------
    journal, name
        Where it is and what it is for.
    holder
        This process.
    token
        The fencing token.
    term_s
        Seconds after which another process may take it over, unless it is renewed.
    clock
        The time; by default that of the database.
    """

    journal: Journal
    name: str
    holder: str
    token: int
    term_s: float
    clock: Clock | None = field(default=None, repr=False)

    def renew(self) -> bool:
        """Extend it by one term from now on; return whether it was still this holder's."""
        with self.journal.begin() as connection:
            if not self._is_held(connection):
                return False
            _write(
                connection, self.name, self.holder, self.token, _now(self.journal, connection, self.clock), self.term_s
            )
            return True

    def guard(self, connection: Connection) -> None:
        """Check inside a transaction that no other process took the lease over; none can until the transaction ends.

        Raises
        ------
        LeaseLostError
            Another process has it.
        """
        if not self._is_held(connection):
            raise LeaseLostError(
                f"lease {self.name!r} with token {self.token} was taken over by another process, so this one writes "
                "nothing more. Stop one of the two."
            )

    def release(self) -> None:
        """Free it, if it is still this holder's, so that another process need not wait for a term."""
        with self.journal.begin() as connection:
            if self._is_held(connection):
                now = _now(self.journal, connection, self.clock)
                _write(connection, self.name, FREE, self.token, now, 0.0)

    def _is_held(self, connection: Connection) -> bool:
        row = _locked(connection, self.name)
        return row is not None and row.token == self.token and row.holder == self.holder


def acquire(
    journal: Journal, name: str, *, holder: str | None = None, term_s: float = 30.0, clock: Clock | None = None
) -> Lease | None:
    """Take a lease that is free or expired, or that this holder has; None if another process has it.

    Parameters
    ----------
    journal
        The database of the lease.
    name
        What it is for, 1 to 64 characters.
    holder
        This process; by default a name that no other one has.
    term_s
        Seconds for which it is valid without being renewed.
    clock
        The time, aware; by default the database server's, so that clocks of hosts are not compared.

    Raises
    ------
    ConfigError
        The term or the name is out of range.
    """
    if not 0.0 < term_s <= _LONGEST_TERM_S or not 0 < len(name) <= 64:
        raise ConfigError(
            f"lease {shown(name)} has a term of {term_s:g} s; expected a name of 1 to 64 characters and a term of at "
            f"most {_LONGEST_TERM_S:g} s."
        )
    holder = holder or f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
    with journal.begin() as connection:
        now = _now(journal, connection, clock)
        never = {"name": name, "holder": FREE, "token": 0, "expires_at": datetime(1970, 1, 1, tzinfo=UTC)}
        connection.execute(insert_new(connection, leases), never)
        row = _locked(connection, name)
        assert row is not None
        if row.holder not in (FREE, holder) and is_valid(row.expires_at, now):
            return None
        token = int(row.token) + (row.holder != holder)
        _write(connection, name, holder, token, now, term_s)
    return Lease(journal, name, holder, token, term_s, clock)


def is_valid(expires_at: datetime, now: datetime) -> bool:
    """Return whether a lease with this end has not expired.

    An end that is later than the longest term from now was written before the clock was set back. It says nothing: its
    holder may be gone, and if it is not, the fencing token keeps it from writing.
    """
    return now < expires_at <= now + timedelta(seconds=_LONGEST_TERM_S)


def _locked(connection: Connection, name: str) -> Row[Any] | None:
    """Return a lease's row, which no other transaction can change until this one ends."""
    found: Row[Any] | None
    found = connection.execute(select(leases).where(leases.c.name == name).with_for_update()).one_or_none()
    return found


def _write(connection: Connection, name: str, holder: str, token: int, now: datetime, term_s: float) -> None:
    values = {"holder": holder, "token": token, "expires_at": now + timedelta(seconds=term_s)}
    connection.execute(update(leases).where(leases.c.name == name).values(values))


def _now(journal: Journal, connection: Connection, clock: Clock | None) -> datetime:
    return journal.now(connection) if clock is None else aware(clock())
