"""pydantic's errors in the words of Fleetcast: the place, its value, where it comes from and what is expected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from configs.errors import ConfigError, shown
from configs.layers import Layer, source_of, sources_in
from configs.settings import all_settings, expected_at, location_of, remedy

_OWN_WORDS = ("value_error", "assertion_error")
_MOST = 20


def explained(error: ValidationError, source: str, layers: Sequence[Layer] = ()) -> ConfigError:
    """Return one error for all problems; each names the layer that its value comes from, or else ``source``."""
    problems = [_Problem(item) for item in error.errors(include_url=False)[:_MOST]]
    texts: dict[str, list[str]] = {}
    for one in problems:
        if any(other.location[: len(one.location)] == one.location != other.location for other in problems):
            continue  # a list that is too short because an item, which has its own error, is invalid
        places = sources_in(layers, one.location) if one.is_own_rule else [source_of(layers, one.location)]
        found = texts.setdefault(" and ".join(filter(None, places)) or source, [])
        if one.text not in found:
            found.append(one.text)
    more = f" There are {error.error_count() - _MOST:,} more problems." if error.error_count() > _MOST else ""
    return ConfigError(" ".join(f"{place}: {' '.join(lines)}" for place, lines in texts.items()) + more)


class _Problem:
    def __init__(self, item: Mapping[str, Any]) -> None:
        self.location = location_of(item["loc"])
        self.is_own_rule = item["type"] in (*_OWN_WORDS, "missing")
        self.text = _text(item, self.location)
        self.location = self.location[:-1] if item["type"] == "missing" else self.location


def _text(item: Mapping[str, Any], location: Sequence[int | str]) -> str:
    place = ".".join(map(str, location))[:200] or "the configuration"
    if item["type"] == "extra_forbidden" and any(place.startswith(f"{path}.") for path in all_settings()):
        return f"{place} has no meaning; expected {expected_at(location[:-1])}."
    if item["type"] == "extra_forbidden":
        return f"{place} is not a setting. {remedy(place)}"
    if item["type"] == "invalid_key":
        return f"{place} is not a setting; names of settings are text."
    value = item["input"]
    given = "" if isinstance(value, Mapping) else f" has value {'null' if value is None else shown(value)}"
    if item["type"] in _OWN_WORDS:
        return f"{place}{given}: {item['msg'].partition(', ')[2]}."
    if item["type"] == "missing":
        return f"{place} is missing; expected {expected_at(location)}."
    if item["type"] == "string_pattern_mismatch":
        return f"{place}{given}; expected text of the form {item['ctx']['pattern']}."
    expected = expected_at(location)
    if (
        isinstance(value, str)
        and "," not in value
        and expected.startswith(("a list of text", "a non-empty list of text"))
    ):
        expected += f", such as [{value}]"
    name, colon, rest = str(location[-1] if location else "").partition(":")
    if value is None and colon and rest:
        expected += f"; in YAML a space follows the colon: '{name}: {rest}'"
    return f"{place}{given}; expected {expected}."
