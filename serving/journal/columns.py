"""The columns that tables and migrations are made of."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, Column, Double, ForeignKey, String, Text

from serving.journal.types import UtcDateTime


def json_value(name: str, *, null: bool = False) -> Column[Any]:
    """Return a column of JSON, which both engines keep as it is written (Postgres' JSONB changes numbers)."""
    return Column(name, JSON(none_as_null=True), nullable=null)


def identifier(name: str = "id", references: str | None = None, *, key: bool = True, null: bool = False) -> Column[Any]:
    """Return a column of a row's identifier; see :func:`serving.journal.schema.row_id`."""
    constraints = [ForeignKey(references, ondelete="CASCADE")] if references else []
    return Column(name, String(36), *constraints, primary_key=key, nullable=null)


def moment(name: str, *, key: bool = False, null: bool = False) -> Column[Any]:
    """Return a column of times."""
    return Column(name, UtcDateTime(), primary_key=key, nullable=null)


def name(name: str, length: int = 64, *, key: bool = False, null: bool = False) -> Column[Any]:
    """Return a column of short text."""
    return Column(name, String(length), primary_key=key, nullable=null)


def number(name: str, *, null: bool = False) -> Column[Any]:
    """Return a column of numbers of double precision."""
    return Column(name, Double(), nullable=null)


def count(name: str, *, key: bool = False, default: str | None = None) -> Column[Any]:
    """Return a column of whole numbers."""
    return Column(name, BigInteger, primary_key=key, autoincrement=False, nullable=False, server_default=default)


def flag(name: str, *, null: bool = False) -> Column[Any]:
    """Return a column of true or false."""
    return Column(name, Boolean(), nullable=null)


def text(name: str, *, null: bool = False) -> Column[Any]:
    """Return a column of text."""
    return Column(name, Text(), nullable=null)
