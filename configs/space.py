"""Search spaces as typed values: the settings that a sweep varies, and the values that each may take."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from configs.safe_json import parse_json

Value = bool | int | float | str | None
Setting = Value | tuple[Value, ...]

_FEATURES = ("features.max_features", "features.clip", "features.scaling_method")  # every trial uses the same panel
_TASK = ("horizon", "label", "conformal_level", "interval_level", "members")


class Range(BaseModel):
    """Numbers from ``low`` to ``high``, both included; ``log`` draws uniformly on a logarithmic scale.

    ``whole`` restricts them to whole numbers; both ends must be whole too.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    low: float
    high: float
    log: bool = False
    whole: bool = False

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"low {self.low:g} must be below high {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError(f"a logarithmic range must begin above 0, not at {self.low:g}")
        if self.whole and (self.low % 1 or self.high % 1):
            raise ValueError(f"a range of whole numbers has whole ends, not {self.low:g} and {self.high:g}")
        return self

    def contains(self, value: Any) -> bool:
        """Whether a value lies in the range."""
        return isinstance(value, int | float) and self.low <= value <= self.high


class Choice(BaseModel):
    """One of several values; a value may be a list, such as the units of layers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    values: Annotated[tuple[Setting, ...], Field(min_length=1)]

    def contains(self, value: Any) -> bool:
        """Whether a value is one of the choices."""
        return encoded(value) in map(encoded, self.values)


def _kind_of(value: Any) -> str:
    return "choice" if isinstance(value, Choice) or (isinstance(value, Mapping) and "values" in value) else "range"


Parameter = Range | Choice
GivenParameter = Annotated[Annotated[Range, Tag("range")] | Annotated[Choice, Tag("choice")], Discriminator(_kind_of)]
"""A parameter in a configuration: with ``values`` it is a choice, so that errors are about what was meant."""

Space = Mapping[str, Parameter]
"""Parameters by the path of their setting, such as ``direction.network.window``."""


def encoded(value: Any) -> Value:
    """Return a value as studies store it: a list as JSON text, any other value unchanged.

    Examples
    --------
    >>> encoded((16, 32)), decoded("[16, 32]"), decoded("vector")
    ('[16, 32]', [16, 32], 'vector')
    """
    return json.dumps(list(value)) if isinstance(value, list | tuple) else value


def decoded(value: Any) -> Any:
    """Invert :func:`encoded`."""
    return parse_json(value) if isinstance(value, str) and value.startswith("[") else value


def why_not_varied(kind: str, path: str) -> str | None:
    """Return why a sweep cannot vary a setting, or None if it can: losses of the trials must compare."""
    if not path.startswith(f"{kind}.") and path not in _FEATURES:
        return f"{path!r} is not a setting that {kind} models vary. Give one of {kind}.…, or of {', '.join(_FEATURES)}"
    if path.startswith(tuple(f"{kind}.{name}" for name in _TASK)):
        return f"{path!r} decides what is forecast or shown, so models would not compare. Set it for all"
    return None
