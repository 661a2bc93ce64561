"""Validation errors in plain words: what was given, what was expected."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sized
from typing import Any

BAR_FIELDS = ("date", "open", "high", "low", "close", "volume")

_MAX_TEXT, _MAX_NUMBER = 40, 10**15
_TYPES = {
    "string_type": "text",
    "float_type": "a number",
    "float_parsing": "a number",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": f"a list: {', '.join(BAR_FIELDS)}",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "finite_number": "a finite number",
}
_LIMITS = {
    "greater_than": ("gt", "a number greater than"),
    "greater_than_equal": ("ge", "a number of at least"),
    "less_than": ("lt", "a number less than"),
    "less_than_equal": ("le", "a number of at most"),
}
_LENGTHS = {
    "too_short": ("min_length", "at least", "item"),
    "too_long": ("max_length", "at most", "item"),
    "string_too_short": ("min_length", "at least", "character"),
    "string_too_long": ("max_length", "at most", "character"),
}


def plain_message(error: Mapping[str, Any], fields: tuple[str, ...] = ()) -> str:
    """Return what is wrong with a value.

    Parameters
    ----------
    error
        One of pydantic's errors: ``type``, ``loc``, ``msg``, ``input`` and ``ctx``.
    fields
        The fields that the outermost object may have.
    """
    kind, limits, given = error["type"], error.get("ctx") or {}, error.get("input")
    column = _bar_column(error["loc"])
    if kind == "json_invalid":
        return f"is not valid JSON: {limits.get('error')}"
    if kind == "value_error":
        return str(limits.get("error", error["msg"]))
    if kind == "missing":
        return f"{column}missing; a bar has {', '.join(BAR_FIELDS)}" if column else "is missing"
    if kind == "extra_forbidden":
        return f"is no field; expected: {', '.join(fields)}" if fields and len(error["loc"]) == 1 else "is no field"
    if kind in _LENGTHS:
        limit, most, unit = _LENGTHS[kind]
        count = limits[limit]
        length = limits.get("actual_length", len(given) if isinstance(given, Sized) else "less")
        return f"{column}expected {most} {count} {unit}{'s' * (count != 1)}, got {length}"
    if kind in _TYPES:
        expected = _TYPES[kind]
    elif kind in _LIMITS:
        expected = f"{_LIMITS[kind][1]} {limits[_LIMITS[kind][0]]:g}"
    elif "expected" in limits:  # one of some values
        expected = str(limits["expected"])
    else:
        expected = str(error["msg"]).removeprefix("Input should be ").removeprefix("Value should be ")
    return f"{column}expected {expected}, got {described(given)}"


def described(value: Any) -> str:
    """Return a value of a request in a few ASCII characters, whatever its size."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, str):
        return "the text " + json.dumps(value[:_MAX_TEXT] + ("…" if len(value) > _MAX_TEXT else ""))
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "infinity"
    if isinstance(value, int | float):
        return f"{value}" if abs(value) < _MAX_NUMBER else "a very large number"
    if isinstance(value, Mapping):
        return f"an object with {len(value)} field" + "s" * (len(value) != 1)
    if isinstance(value, Sized):
        return f"a list of {len(value)} item" + "s" * (len(value) != 1)
    return f"a {type(value).__name__}"


def _bar_column(location: tuple[int | str, ...]) -> str:
    """Return ``low: `` for the fourth value of a bar in a request, nothing elsewhere."""
    match location:
        case ("bars", _, int(), int(column)) if column < len(BAR_FIELDS):
            return f"{BAR_FIELDS[column]}: "
    return ""
