"""The types of settings. Every value is validated and frozen."""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Strategy = Literal["per_symbol", "pooled", "finetuned"]
Kind = Literal["direction", "volatility"]
MOST = 10**9  # a count above it is a typing error; those below fit every integer type
Positive = Annotated[int, Field(gt=0, le=MOST)]
Epochs = Annotated[int, Field(gt=0, le=10_000)]
BatchSize = Annotated[int, Field(gt=0, le=1_000_000)]
Bars = Annotated[int, Field(gt=0, le=1000)]
Trees = Annotated[int, Field(gt=0, le=10_000)]
Machines = Annotated[int, Field(gt=0, le=10_000)]
Processors = Annotated[float, Field(ge=0.01, le=1000)]
Retries = Annotated[int, Field(ge=0, le=1000)]
LearningRate = Annotated[float, Field(gt=0, le=1)]
Penalty = Annotated[float, Field(ge=0, le=MOST)]
Seconds = Annotated[float, Field(ge=0.001, le=86_400)]
Fraction = Annotated[float, Field(gt=0.0, lt=1.0)]
Rate = Annotated[float, Field(ge=0.0, lt=1.0)]
_MOST_DAYS = 100_000  # of an age
_Names = TypeVar("_Names", bound=tuple[str, ...])


def unique(names: _Names) -> _Names:
    """Return the names; ``ValueError`` lists repeated ones."""
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        raise ValueError(f"each name may occur once, but {', '.join(repeated)} is repeated")
    return names


def age_limit(value: object) -> object:
    """Return ``calendar`` or a number of days as given; ``ValueError`` says that one of them is expected."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and 0.0 < value <= _MOST_DAYS
    if value != "calendar" and not is_number:
        raise ValueError(f"expected calendar, or a number of days greater than 0 and at most {_MOST_DAYS:,}")
    return value


def host_name(name: str) -> str:
    """Return a name of a host, an address or ``*`` as given; ``ValueError`` says that one of them is expected."""
    if not re.fullmatch(r"\*|[\w.-]+|\[?[0-9A-Fa-f:.]+\]?", name, re.ASCII):
        raise ValueError("expected a name or address without scheme, port and path, or *")
    return name


def format_of_dates(text: str) -> str:
    """Return a format of dates as given; ``ValueError`` says what is expected if it has no year or cannot be used."""
    example = datetime(2001, 2, 3)
    try:
        has_year = datetime.strptime(example.strftime(text), text).year == example.year
    except ValueError:
        has_year = False
    if not has_year:
        raise ValueError("expected how a date is written, such as %d/%m/%Y")
    return text


class Frozen(BaseModel):
    """A value that cannot change after validation and rejects unknown keys.

    The text below a setting is its meaning, which `fleetcast config describe` shows.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False, use_attribute_docstrings=True
    )
