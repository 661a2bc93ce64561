"""The types of settings. Every value is validated and frozen."""

from __future__ import annotations

import re
from collections import Counter
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Strategy = Literal["per_symbol", "pooled", "finetuned"]
Kind = Literal["direction", "volatility"]
Positive = Annotated[int, Field(gt=0)]
Fraction = Annotated[float, Field(gt=0.0, lt=1.0)]
Rate = Annotated[float, Field(ge=0.0, lt=1.0)]
_Names = TypeVar("_Names", bound=tuple[str, ...])


def unique(names: _Names) -> _Names:
    """Return the names; ``ValueError`` lists repeated ones."""
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        raise ValueError(f"each name may occur once, but {', '.join(repeated)} is repeated")
    return names


def age_limit(value: object) -> object:
    """Return ``calendar`` or a number of days as given; ``ValueError`` says that one of them is expected."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and 0.0 < value < float("inf")
    if value != "calendar" and not is_number:
        raise ValueError("expected calendar, or a number of days greater than 0")
    return value


def host_name(name: str) -> str:
    """Return a name of a host, an address or ``*`` as given; ``ValueError`` says that one of them is expected."""
    if not re.fullmatch(r"\*|[\w.-]+|\[?[0-9A-Fa-f:.]+\]?", name, re.ASCII):
        raise ValueError("expected a name or address without scheme, port and path, or *")
    return name


class Frozen(BaseModel):
    """A value that cannot change after validation and rejects unknown keys.

    The text below a setting is its meaning, which `fleetcast config describe` shows.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False, use_attribute_docstrings=True
    )
