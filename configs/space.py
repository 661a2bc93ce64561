"""Search spaces as typed values: which settings of a configuration a sweep may vary, and over what."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Value = bool | int | float | str | None
Setting = Value | tuple[Value, ...]

_FEATURES = ("features.max_features", "features.clip", "features.scaling_method")  # a panel is built once for all
_TASK = ("horizon", "label", "conformal_level", "interval_level", "members")


class Range(BaseModel):
    """Numbers from ``low`` to ``high``, both included; ``log`` draws evenly on a logarithmic scale.

    Whole numbers if both ends are written as such and ``whole`` says so.
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

    def holds(self, value: Any) -> bool:
        """Whether a setting's value lies in the range."""
        return isinstance(value, int | float) and self.low <= value <= self.high


class Choice(BaseModel):
    """One of some values; a value may be a list, such as the units of layers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    values: Annotated[tuple[Setting, ...], Field(min_length=1)]

    def holds(self, value: Any) -> bool:
        """Whether a setting's value is one of them."""
        return spelled(value) in map(spelled, self.values)


Parameter = Range | Choice
Space = Mapping[str, Parameter]
"""By the path of a setting, such as ``direction.network.window``."""


def spelled(value: Any) -> Value:
    """Return a value as studies keep it: lists as JSON text, everything else as it is.

    Examples
    --------
    >>> spelled((16, 32)), read("[16, 32]"), read("vector")
    ('[16, 32]', [16, 32], 'vector')
    """
    return json.dumps(list(value)) if isinstance(value, list | tuple) else value


def read(value: Any) -> Any:
    """Invert :func:`spelled`."""
    return json.loads(value) if isinstance(value, str) and value.startswith("[") else value


def why_shared(kind: str, path: str) -> str | None:
    """Return why models of a kind cannot differ in a setting and still be compared; None if they can."""
    if not path.startswith(f"{kind}.") and path not in _FEATURES:
        return f"{path!r} is no setting that {kind} models vary. Give one of {kind}.…, or of {', '.join(_FEATURES)}"
    if path.startswith(tuple(f"{kind}.{name}" for name in _TASK)):
        return f"{path!r} decides what is forecast or shown beside it, so models would not compare. Set it for all"
    return None
