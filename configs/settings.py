"""Every setting of the schema: its path, type in words, default and meaning."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from configs.errors import ConfigError, shortened
from configs.schema import Config
from configs.space import Choice, Range
from configs.space import Setting as _Value

_BOUNDS = ((Gt, "gt", ">"), (Ge, "ge", "≥"), (Lt, "lt", "<"), (Le, "le", "≤"))
_WORDS = {
    int: "whole number",
    float: "number",
    str: "text",
    bool: "true or false",
    date: "date such as 2014-12-31",
    type(None): "null",
    Range: "{low: …, high: …}",
    Choice: "{values: […]}",
}
_COUNTABLE = ("whole number", "number", "date", "list", "non-empty list", "mapping")


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its path such as ``direction.horizon``, type in words, default and meaning."""

    path: str
    type: str
    default: Any
    meaning: str


@cache
def all_settings() -> dict[str, Setting]:
    """Return every setting by its path, in the order of the schema."""
    return {setting.path: setting for setting in _settings(Config(), "")}


@cache
def sections() -> dict[str, str]:
    """Return the meaning of every section by its path."""
    return dict(_sections(Config, ""))


def find(key: str) -> list[Setting]:
    """Return the setting of this path, or all of this section.

    Raises
    ------
    ConfigError
        There is neither; the message has similar paths.
    """
    found = all_settings()
    if key in found:
        return [found[key]]
    inside = [setting for path, setting in found.items() if path.startswith(f"{key}.")]
    if inside:
        return inside
    raise ConfigError(f"{key!r} is not a setting. {remedy(key)}")


def remedy(key: str) -> str:
    """Return what to write instead of a path that is not a setting: similar paths, or else what its section has."""
    name = key.rpartition(".")[2]
    everything = [*all_settings(), *sections()]
    near = [path for path in everything if path.rpartition(".")[2] == name]
    if not near:
        close = difflib.get_close_matches(name, {path.rpartition(".")[2] for path in everything}, 3, 0.7)
        near = [path for word in close for path in everything if path.rpartition(".")[2] == word]
    own = [path for path in near if path.rpartition(".")[0] == key.rpartition(".")[0]]
    near = own or near
    near.sort(key=lambda path: -difflib.SequenceMatcher(None, path, key).ratio())  # stable: schema order among equals
    if near:
        return f"Did you mean {' or '.join(near[:3])}?"
    section = key
    while section and section not in sections():
        section = section.rpartition(".")[0]
    start = f"{section}." if section else ""
    inside = [path.removeprefix(start) for path in everything if path.startswith(start)]
    names = list(dict.fromkeys(name.partition(".")[0] for name in inside))
    return f"{section or 'The configuration'} has {', '.join(names)}. See `fleetcast config show`."


def expected_at(location: Sequence[int | str]) -> str:
    """Return in words what is expected at a place of the configuration; empty if the place is no setting."""
    annotation: Any = Config
    metadata: Sequence[Any] = ()
    for part in location:
        inner = _inner(annotation, part)
        if inner is None:
            break
        annotation, metadata = inner
    if isinstance(annotation, type) and issubclass(annotation, BaseModel) and annotation not in _WORDS:
        return f"a section with {shortened(list(annotation.model_fields), 6)}"
    words = in_words(annotation, metadata)
    return f"a {words}" if words.startswith(_COUNTABLE) else words


def location_of(parts: Sequence[int | str]) -> tuple[int | str, ...]:
    """Return a location without the names of members of unions, which pydantic puts between keys."""
    found: list[int | str] = []
    annotation: Any = Config
    is_tagged = False
    for part in parts:
        inner = _inner(annotation, part)
        if inner is None and not is_tagged and get_origin(annotation) in (Union, types.UnionType):
            is_tagged = True
            continue
        if inner is not None:
            annotation, is_tagged = inner[0], False
        found.append(part)
    return tuple(found)


def in_words(annotation: Any, metadata: Sequence[Any] = ()) -> str:
    """Return a type with its bounds in words, such as ``whole number > 0``."""
    if annotation == _Value:
        return "values"
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return in_words(arguments[0], [*arguments[1:], *metadata])
    if origin is Literal:
        return _either([str(one) for one in arguments])
    if origin in (Union, types.UnionType):
        return _either([in_words(one, metadata) for one in arguments])
    if origin is tuple:
        return f"{'non-empty ' if _least(metadata) else ''}list of {_grouped(in_words(arguments[0]))}"
    if origin is dict:
        return f"mapping of {_grouped(in_words(arguments[0]))} to {_grouped(in_words(arguments[1]))}"
    word = _WORDS.get(annotation, getattr(annotation, "__name__", str(annotation)))
    return word + _bounds(metadata) if annotation in (int, float) else word


def _either(words: Sequence[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]


def _grouped(words: str) -> str:
    return f"({words})" if " or " in words else words


def _settings(section: BaseModel, prefix: str) -> Iterator[Setting]:
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from _settings(value, f"{prefix}{name}.")
            continue
        default = section.model_dump(mode="json")[name]
        meaning = " ".join((field.description or "").replace("``", "").split())
        yield Setting(prefix + name, _of_field(field), default, meaning)


def _sections(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str]]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            first = (field.annotation.__doc__ or "").partition("\n\n")[0]
            yield prefix + name, " ".join(first.replace("``", "").split())
            yield from _sections(field.annotation, f"{prefix}{name}.")


def _of_field(field: FieldInfo) -> str:
    return in_words(field.annotation, field.metadata)


def _inner(annotation: Any, part: int | str) -> tuple[Any, Sequence[Any]] | None:
    """Return the type and metadata of what is at a key or position inside a type; None if there is nothing."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _inner(arguments[0], part)
    if origin in (Union, types.UnionType):
        return next((found for one in arguments if (found := _inner(one, part)) is not None), None)
    if isinstance(part, int):
        return (arguments[0], ()) if origin is tuple else None
    if origin is dict:
        return arguments[1], ()
    fields: Mapping[str, FieldInfo] = getattr(annotation, "model_fields", {})
    return (fields[part].annotation, fields[part].metadata) if part in fields else None


def _least(metadata: Sequence[Any]) -> int:
    return next((one.min_length for one in _flat(metadata) if isinstance(one, MinLen)), 0)


def _bounds(metadata: Sequence[Any]) -> str:
    found = [
        f"{sign} {_number(getattr(one, name))}"
        for kind, name, sign in _BOUNDS
        for one in _flat(metadata)
        if isinstance(one, kind)
    ]
    return f" {' and '.join(found)}" if found else ""


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def _flat(metadata: Sequence[Any]) -> Iterator[Any]:
    for one in metadata:
        if isinstance(one, FieldInfo):
            yield from one.metadata
        else:
            yield one
