"""Reading JSON that anyone may have written: bad text is a ``ValueError``, however deep or long it is."""

from __future__ import annotations

from typing import Any

from pydantic_core import from_json

MAX_DEPTH = 200  # of the parser


def parse_json(data: bytes | str) -> Any:
    """Return the value of a JSON text in UTF-8; ``NaN`` and ``Infinity`` are accepted.

    The standard library's parser raises ``RecursionError`` for deep nesting, which callers that expect ``ValueError``
    do not catch.

    Raises
    ------
    ValueError
        The text is no JSON, or it is nested more than 200 deep; the message says where.

    Examples
    --------
    >>> parse_json('{"a": [1, null]}')
    {'a': [1, None]}
    """
    try:
        return from_json(data)
    except ValueError as error:
        reason = str(error).replace("recursion limit exceeded", f"nested more than {MAX_DEPTH} deep")
        raise ValueError(reason) from None
