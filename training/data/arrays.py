"""The fitted state of a predictor: plain arrays under names with parts, as ``scaler/center``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

Arrays = dict[str, npt.NDArray[Any]]
Float = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]
T = TypeVar("T", bound=np.generic)


def prefixed(prefix: str, arrays: Mapping[str, npt.NDArray[Any]]) -> Arrays:
    """Return arrays under ``prefix/``."""
    return {f"{prefix}/{key}": value for key, value in arrays.items()}


def part_of(arrays: Mapping[str, npt.NDArray[Any]], prefix: str) -> Arrays:
    """Return the arrays under ``prefix/``, without it."""
    return {key.removeprefix(f"{prefix}/"): value for key, value in arrays.items() if key.startswith(f"{prefix}/")}


def take_rows(values: npt.NDArray[T], rows: npt.NDArray[np.int64]) -> npt.NDArray[T]:
    """Return the rows of these symbols of an array (S, …); one that all symbols share (1, …) is returned as it is."""
    return values if len(values) == 1 else values[rows]
