"""From the values of a fit to plain JSON, the only text form that blocks and manifests keep."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np

from configs.errors import ModelError


def to_json(value: Any) -> Any:
    """Return plain JSON values: tuples and arrays as lists, dates as ISO text, numbers that are not finite as ``None``.

    Raises
    ------
    ModelError
        A value has no JSON spelling.

    Examples
    --------
    >>> to_json({"loss": (1.5, float("nan"))})
    {'loss': [1.5, None]}
    """
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "biufUM":
        return to_json((value.astype(str) if value.dtype.kind == "M" else value).tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, date):
        return value.isoformat()
    raise ModelError(
        f"a {type(value).__name__} cannot be stored as JSON ({value!r:.80}). Store numbers, text or lists."
    )
