"""Column types of the journal."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Dialect
from sqlalchemy.dialects.sqlite import DATETIME
from sqlalchemy.types import TypeDecorator, TypeEngine

from configs.errors import ConfigError, DataError, shown

_SQLITE: TypeEngine[Any] = DATETIME()  # type: ignore[no-untyped-call]


class UtcDateTime(TypeDecorator[datetime]):
    """A moment, aware and in UTC, to the microsecond; equal rows on SQLite and Postgres whatever the host's time zone.

    SQLite stores text without a zone, which sorts by time; Postgres ``timestamp with time zone``.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the type that stores it."""
        return dialect.type_descriptor(_SQLITE if dialect.name == "sqlite" else DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the moment as it is stored.

        Raises
        ------
        ConfigError
            It has no time zone, or is no time.
        """
        if value is None:
            return None
        moment = aware(value)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the moment in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def aware(value: object) -> datetime:
    """Return a moment in UTC.

    Raises
    ------
    ConfigError
        It has no time zone, or is no time.
    """
    if not isinstance(value, datetime) or value.tzinfo is None or value.utcoffset() is None:
        raise ConfigError(
            f"time {shown(value)} has no time zone; the journal takes aware times only. Give one such as "
            "datetime(2026, 1, 2, 21, tzinfo=UTC)."
        )
    return value if value.tzinfo is UTC else value.astimezone(UTC)


def to_json(value: Any) -> str:
    """Return a value as JSON on one line.

    Raises
    ------
    DataError
        It has a number that is not finite, or something that JSON does not have.
    """
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise DataError(f"{shown(value)} cannot be stored as JSON ({error}). Give finite numbers and text.") from error
