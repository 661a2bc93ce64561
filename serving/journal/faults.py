"""Errors of database drivers, in words: what is wrong and what to do. Passwords are never part of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, SQLAlchemyError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from configs.errors import DatabaseError, DatabaseUnavailableError, FleetcastError

_MAY_PASS: tuple[tuple[str, str], ...] = (
    ("database (table )?is locked|database is busy", "another process holds its lock. Try again, or stop that process"),
    (
        "database or disk is full|no space left|disk full",
        "it is full. Free space, or prune it: fleetcast journal prune",
    ),
    ("disk i/o error", "the disk cannot be read or written. Check the disk and its free space"),
    (
        "too many (clients|connections)|remaining connection slots",
        "its server has no connection left. Raise max_connections, or stop other clients",
    ),
    (
        "could not translate host|name or service not known|failed to resolve|no address associated|temporary failure",
        "its host is not known. Check the host's name",
    ),
    (
        "server closed the connection|connection (is |was )?(lost|closed|reset)|terminating connection|shutting down|"
        "starting up|recovery mode|consuming input failed|ssl connection has been closed",
        "its server ended the connection. Try again when it runs",
    ),
    (
        "connection refused|could not connect|connection failed|is the server running|timeout expired|timed out",
        "its server does not answer. Start it, or check the host and port",
    ),
    (
        "deadlock detected|could not serialize|lock timeout|statement timeout",
        "other writers were in the way. Try again",
    ),
)
_WILL_STAY: tuple[tuple[str, str], ...] = (
    ("password authentication failed|no password supplied|authentication failed", "user or password is wrong"),
    ("role .* does not exist", "its server has no such user. Create it, or give another one"),
    ("database .* does not exist", "its server has no such database. Create it: createdb NAME"),
    ("pg_hba.conf", "its server does not admit this host or user. Change its pg_hba.conf"),
    (
        "readonly database|read-only transaction|permission denied|cannot execute .* in a read-only",
        "it may not be written. Check the permissions of the file and its folder, or of the user",
    ),
    ("unable to open database file", "the file cannot be opened. Check that its folder exists and may be written"),
    (
        "not a database|malformed|database corruption|unsupported file format",
        "the file is damaged or no SQLite database. Restore it from a copy, or move it away to begin a new journal",
    ),
    (
        "no such (table|column)|(relation|column) .* does not exist",
        "tables are missing or of another version. Run: fleetcast journal upgrade",
    ),
)


@contextmanager
def database_errors(public_url: str) -> Iterator[None]:
    """Turn a driver's errors into a :class:`.DatabaseError` that names the database and the remedy."""
    try:
        yield
    except SQLAlchemyError as error:
        raise explained(error, public_url) from error


def explained(error: SQLAlchemyError, public_url: str) -> FleetcastError:
    """Return an error of a driver in words; a ``FleetcastError`` that a column type raised as it is."""
    cause = error.orig if isinstance(error, StatementError) else None
    if isinstance(cause, FleetcastError):
        return cause
    text = " ".join(str(cause or error).split())
    if isinstance(error, PoolTimeoutError):
        text = "statement timeout"
    for known, kind in ((_WILL_STAY, DatabaseError), (_MAY_PASS, DatabaseUnavailableError)):
        for pattern, remedy in known:
            if re.search(pattern, text, re.IGNORECASE):
                return kind(f"journal {public_url}: {remedy}.")
    may_pass = isinstance(error, DBAPIError) and error.connection_invalidated
    kind = DatabaseUnavailableError if may_pass else DatabaseError
    return kind(f"journal {public_url} fails: {text[:300]}. Check the database and its server's log.")
