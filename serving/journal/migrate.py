"""The version of a database's tables: made, checked and upgraded."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, column, inspect, select, table, text

from configs.errors import DatabaseError
from serving.journal.database import Journal
from serving.journal.faults import database_errors
from serving.journal.schema import HEAD

VERSION_TABLE = "fleetcast_journal"
_EARLIER = ("0001", "0002")
_LOCK = 5_716_223_001  # of all processes that make or upgrade the tables of a Postgres database


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What :func:`upgrade` did: the versions before (None: no tables) and after, and the copy of a SQLite file."""

    before: str | None
    after: str
    copy: Path | None = None


def prepare(journal: Journal, *, create: bool = True) -> None:
    """Make the tables in an empty database, upgrade those of a SQLite file, and refuse what does not fit.

    Raises
    ------
    DatabaseError
        There are no tables and ``create`` is false, they are of a newer version, or they are of an older one on
        Postgres, where other machines may still run the older version.
    """
    file = _file(journal)
    if not create and file is not None and not file.exists():
        raise DatabaseError(f"there is no journal at {journal.url}. Check --database and --store.")
    with journal.connect() as connection:
        found = version_of(connection)
    if found == HEAD:
        return
    if found is None and not create:
        raise DatabaseError(f"{journal.url} has no journal. Check --database, or make one: fleetcast journal upgrade.")
    if found in _EARLIER and file is None:
        raise DatabaseError(
            f"journal {journal.url} has tables of version {found}, and this Fleetcast needs {HEAD}. Stop what runs on "
            "it, then run: fleetcast journal upgrade."
        )
    upgrade(journal)


def upgrade(journal: Journal) -> Upgrade:
    """Make the tables, or bring them to the newest version; a SQLite file is copied before.

    Raises
    ------
    DatabaseError
        The tables are of a newer version, or the database has others of the same names.
    """
    with journal.connect() as connection:
        before = version_of(connection)
        taken = [] if before else inspect(connection).get_table_names()
    _check_known(journal, before)
    file = _file(journal)
    if file is not None and taken:
        raise DatabaseError(
            f"{journal.url} is a database of something else (it has the table {taken[0]}). Give another file."
        )
    if before == HEAD:
        return Upgrade(before, HEAD)
    copy = _copied(file, before) if file is not None and before is not None else None
    with _exclusive(journal) as connection:
        if version_of(connection) != HEAD:
            _run_migrations(connection)
    return Upgrade(before, HEAD, copy)


def version_of(connection: Connection) -> str | None:
    """Return the version of a database's tables; None if it has none."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.execute(select(column("version_num")).select_from(table(VERSION_TABLE))).scalar()


def _check_known(journal: Journal, found: str | None) -> None:
    if found not in (None, HEAD, *_EARLIER):
        raise DatabaseError(
            f"journal {journal.url} has tables of version {found}, and this Fleetcast knows those up to {HEAD}. Use "
            "the newer Fleetcast that has made them, or another database."
        )


@contextmanager
def _exclusive(journal: Journal) -> Iterator[Connection]:
    """Run a transaction that makes or changes tables; processes that do so run one after the other."""
    with database_errors(journal.url), journal.engine.connect() as connection:
        driver = connection.connection.dbapi_connection
        if journal.is_sqlite and driver is not None:
            driver.execute("PRAGMA foreign_keys = OFF")  # a table that is made anew must not take its children along
        try:
            with connection.execution_options(begin="BEGIN IMMEDIATE").begin():
                if not journal.is_sqlite:
                    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
                yield connection
        finally:
            connection.invalidate()  # the next one has foreign keys again


def _run_migrations(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes.update(connection=connection, version_table=VERSION_TABLE)
    command.upgrade(config, "head")


def _file(journal: Journal) -> Path | None:
    return Path(journal.engine.url.database or "") if journal.is_sqlite else None


def _copied(file: Path, version: str) -> Path:
    """Copy a SQLite file next to it, complete or not at all; a copy of the same version that exists is kept."""
    target = file.with_name(f"{file.name}.version-{version}")
    if target.exists():
        return target
    unfinished = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(unfinished)) as copy:
        source.backup(copy)
    os.replace(unfinished, target)
    return target
