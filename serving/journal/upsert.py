"""Inserts that leave rows as they are where the key exists, on both engines."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert


def insert(connection: Connection, table: Table) -> Any:
    """Return the engine's insert, which has ``on_conflict_do_nothing`` and ``on_conflict_do_update``."""
    return sqlite_insert(table) if connection.dialect.name == "sqlite" else postgres_insert(table)


def insert_new(connection: Connection, table: Table) -> Any:
    """Return an insert that leaves rows whose key exists as they are; its result's ``rowcount`` are the others."""
    return insert(connection, table).on_conflict_do_nothing().execution_options(preserve_rowcount=True)
