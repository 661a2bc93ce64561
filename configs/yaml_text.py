"""YAML from users: plain values only, and never more of them than a configuration can need."""

from __future__ import annotations

from typing import Any

import yaml

from configs.errors import ConfigError
from configs.words import counted

MAX_DEPTH = 32
MAX_VALUES = 100_000
MAX_BYTES = 2**20


class _Loader(yaml.CSafeLoader):
    """YAML whose only booleans are true and false: ON and NO are symbols, not switches."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool" or first in "tTfF"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def parsed_yaml(text: str, what: str) -> Any:
    """Return the value of a YAML text; ``what`` names it in errors, such as ``config file 'mine.yaml'``.

    The parser is recursive and an alias repeats the values of its anchor, so a short text can exhaust the stack or the
    memory. Depth and values, with those of aliases, are counted before any value is made.

    Raises
    ------
    ConfigError
        It is not YAML, longer than ``MAX_BYTES``, deeper than ``MAX_DEPTH``, or has more than ``MAX_VALUES`` values.
    """
    if len(text) > MAX_BYTES:
        raise ConfigError(f"{what} is longer than {MAX_BYTES:,} characters. Give only the settings that differ.")
    try:
        _check_size(text, what)
        return yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise ConfigError(f"{what} is not valid YAML: {' '.join(str(error).split())[:200]}.") from error


def _check_size(text: str, what: str) -> None:
    values, sizes = 0, dict[str, int]()
    opened: list[tuple[str | None, int]] = []  # the anchor of each open collection, and the values before it
    for event in yaml.parse(text, _Loader):
        if isinstance(event, yaml.AliasEvent):
            if any(anchor == event.anchor for anchor, _ in opened):
                raise ConfigError(f"{what} has an alias *{event.anchor} inside of its own anchor. Write the values.")
            values += sizes.get(event.anchor or "", 1)
        elif isinstance(event, yaml.CollectionStartEvent):
            opened.append((event.anchor, values))
            values += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = opened.pop()
            if anchor is not None:
                sizes[anchor] = values - before
        elif isinstance(event, yaml.ScalarEvent):
            values += 1
        if len(opened) > MAX_DEPTH:
            raise ConfigError(f"{what} nests more than {MAX_DEPTH} levels. Settings need at most 5.")
        if values > MAX_VALUES:
            limit = counted(MAX_VALUES, "value")
            raise ConfigError(f"{what} has more than {limit}, with those that aliases repeat. Give fewer.")
