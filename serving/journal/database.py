"""The journal's database: SQLite in the store's folder, or Postgres by URL, and its transactions."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from configs.errors import ConfigError, DatabaseError, shown
from configs.journal import JournalConfig
from features.store.store import Store, open_store
from serving.journal.faults import database_errors
from serving.journal.sqlite_file import watch_file
from serving.journal.types import aware, to_json

VARIABLE = "FLEETCAST_DATABASE"
FILE = "journal.db"
_WAL_TRIES, _WAL_PAUSE_S = 50, 0.1
_CACHE_KIB = 256  # of each connection; the system caches the file too, and writes are no faster with SQLite's 2 MiB
_EXAMPLES = "sqlite:////folder/journal.db, or postgresql://user@host/name"


@dataclass(frozen=True, slots=True, eq=False)
class Journal:
    """The database of predictions and of everything that follows from them. Thread-safe; open one per process.

    Attributes
    ----------
    engine
        Its connections.
    url
        Its URL, without a password.
    """

    engine: Engine
    url: str

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file on this machine."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Run a write transaction: all of the block is written, or nothing if it raises.

        SQLite has one writer at a time: the lock is taken at the beginning (``BEGIN IMMEDIATE``), after waiting for at
        most ``journal.busy_timeout_s``, so no statement inside waits or fails for it.

        Raises
        ------
        DatabaseUnavailableError
            The database is locked, full, or does not answer.
        DatabaseError
            It cannot be written for another reason.
        """
        with database_errors(self.url), self.engine.connect() as connection:
            with connection.execution_options(begin="BEGIN IMMEDIATE").begin():
                yield connection

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """Run a transaction that only reads; all of it sees one state of the database.

        Raises
        ------
        DatabaseUnavailableError, DatabaseError
            As for :meth:`begin`.
        """
        with database_errors(self.url), self.engine.connect() as connection:
            if not self.is_sqlite:
                connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            yield connection

    def now(self, connection: Connection) -> datetime:
        """Return the database server's time, which all hosts share; SQLite's is that of its host."""
        if self.is_sqlite:
            return datetime.now(UTC)
        return aware(connection.execute(text("SELECT clock_timestamp()")).scalar_one())

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def __enter__(self) -> Self:
        """Return the journal; leaving the context closes it."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close the journal."""
        self.close()


def connect_journal(
    url: str | None = None,
    store: Store | str | os.PathLike[str] | None = None,
    config: JournalConfig | None = None,
) -> Journal:
    """Return the journal as :func:`.open_journal` does, without looking at its tables."""
    config = config or JournalConfig()
    parsed = _database_url(url or os.environ.get(VARIABLE) or config.url, store)
    public = parsed.set(query={}).render_as_string(hide_password=True)  # a query can have the password
    options: dict[str, Any] = {"pool_size": 8, "max_overflow": 32, "pool_timeout": config.busy_timeout_s}
    options["json_serializer"] = to_json
    try:
        if parsed.get_backend_name() == "sqlite":
            engine = create_engine(parsed, connect_args={"timeout": config.busy_timeout_s}, **options)
            event.listen(engine, "connect", _prepare_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
            watch_file(engine, public)
        else:
            waits = {"connect_timeout": max(1, round(config.busy_timeout_s)), "application_name": "fleetcast"}
            engine = create_engine(parsed, connect_args=waits, pool_pre_ping=True, **options)
    except ImportError as error:
        raise DatabaseError(
            "Postgres needs a driver that is not installed here. Install it on every machine: "
            "pip install 'psycopg[binary]'."
        ) from error
    return Journal(engine, public)


def _database_url(url: str | None, store: Store | str | os.PathLike[str] | None) -> URL:
    if url is None:
        place = open_store(store)
        if not place.is_local:
            raise ConfigError(
                f"the journal needs a database, and {place.uri!r} is not a local store. Give one with --database, such "
                "as postgresql://user@host/name."
            )
        with suppress(OSError):  # SQLite's error names the file
            Path(place.root).mkdir(parents=True, exist_ok=True)
        return URL.create("sqlite", database=place.path(FILE))
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except (ArgumentError, SQLAlchemyError, ValueError) as error:
        raise ConfigError(f"database {shown(_public(url))} is not a URL; expected {_EXAMPLES}.") from error
    if backend in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise ConfigError(f"database {shown(_public(url))} is of {backend}; expected {_EXAMPLES}.")
    if not parsed.database or parsed.database == ":memory:" or parsed.query:
        raise ConfigError(f"database {shown(url)} names no file; expected {_EXAMPLES}.")
    return URL.create("sqlite", database=str(Path(parsed.database).expanduser().absolute()))


def _public(url: str) -> str:
    """Return the part of a URL that cannot have a password."""
    before, at, after = url.partition("?")[0].rpartition("@")
    return f"{before.partition('://')[0]}://***@{after}" if at else after


def _prepare_sqlite(connection: Any, record: Any) -> None:
    """Set a new connection to write-ahead logging, in which readers and the writer do not wait for each other."""
    connection.isolation_level = None  # the driver begins no transaction of its own
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    for tried in range(_WAL_TRIES):
        if connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
            return
        try:  # two processes that open a new file: the change does not wait for the lock
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if tried + 1 == _WAL_TRIES:
                raise
            time.sleep(_WAL_PAUSE_S)


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(str(connection.get_execution_options().get("begin", "BEGIN")))
