"""Forecasts of many rows, some thousand windows at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from features.panel import Panel
from training.data.arrays import Float
from training.data.examples import Int64, panel_rows
from training.data.windows import Windows

_CHUNK = 4096  # windows forecast together: their features take some 50 MB


def joined(parts: Sequence[Mapping[str, npt.NDArray[Any]]]) -> dict[str, npt.NDArray[Any]]:
    """Return columns of consecutive chunks as one."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def panel_chunks(
    panel: Panel, rows: Sequence[Int64], own: Int64, series: Float, window: int
) -> Iterator[tuple[Windows, Int64]]:
    """Yield the windows of rows within each symbol, and ``own`` (S,) of each one's symbol; at least one chunk."""
    every, position = panel_rows(panel, rows)
    for start in range(0, max(len(every), 1), _CHUNK):
        at = every[start : start + _CHUNK]
        symbol = position[start : start + _CHUNK]
        year = panel.bars_per_year[symbol]
        yield Windows.of(panel.dates[at], panel.features, at, series[at], year, window), own[symbol]
