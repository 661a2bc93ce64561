"""Scores of many symbols in columns, which take a tenth of the memory of nested dictionaries."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt


class Scores(Mapping[str, Mapping[str, float]]):
    """Symbol → name of the score → value, filled block by block; values that are not finite are omitted."""

    def __init__(self) -> None:
        self._row: dict[str, int] = {}
        self._columns: dict[str, npt.NDArray[np.float64]] = {}
        self._size = 0

    def add(self, scores: Mapping[str, Mapping[str, Any]]) -> None:
        """Add the scores of symbols that are not in the table yet."""
        start = len(self._row)
        self._row |= {symbol: start + i for i, symbol in enumerate(scores)}
        self._grow(len(self._row))
        for row, values in enumerate(scores.values(), start):
            for name, value in values.items():
                if value is not None and math.isfinite(value):
                    self._column(name)[row] = value

    def __getitem__(self, symbol: str) -> Mapping[str, float]:
        row = self._row[symbol]
        found = {name: float(column[row]) for name, column in self._columns.items()}
        return {name: value for name, value in found.items() if not math.isnan(value)}

    def __iter__(self) -> Iterator[str]:
        return iter(self._row)

    def __len__(self) -> int:
        return len(self._row)

    def _column(self, name: str) -> npt.NDArray[np.float64]:
        if name not in self._columns:
            self._columns[name] = np.full(self._size, np.nan)
        return self._columns[name]

    def _grow(self, rows: int) -> None:
        if rows > self._size:
            more = max(rows, 2 * self._size) - self._size
            self._size += more
            self._columns = {
                name: np.concatenate([column, np.full(more, np.nan)]) for name, column in self._columns.items()
            }
