"""JSON files of the registry: each has a number of its schema and the SHA-256 of its content."""

from __future__ import annotations

from typing import Any

from configs.errors import UnreadableError
from features.store.sealed import parse_sealed

RESTORE = "Restore it from a copy, or train again"


def parse_versioned(path: str, data: bytes, what: str, schema: int) -> Any:
    """Return the value of a file, which is of this schema, or of the one before, whose files have no SHA-256.

    ``path`` and ``what`` are named in errors. A value without a number is returned for the caller to refuse.

    Raises
    ------
    UnreadableError
        The file is no JSON, is damaged, or of another schema.
    """
    try:
        value, is_sealed = parse_sealed(data)
    except ValueError as error:
        raise UnreadableError(f"{path!r} is damaged ({error}). {RESTORE}.") from error
    found = value.get("schema_version") if isinstance(value, dict) else None
    if found not in (None, schema, schema - 1):
        raise UnreadableError(
            f"{path!r} has {what} schema {found}; this Fleetcast reads {what} schema {schema}. "
            "Use the Fleetcast that wrote it, or train again."
        )
    if found == schema and not is_sealed:
        raise UnreadableError(f"{path!r} is damaged (it lacks its SHA-256). {RESTORE}.")
    return value
