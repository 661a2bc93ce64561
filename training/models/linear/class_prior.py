"""The class prior: the direction baseline that every model is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from training.metrics.classification import CLASSES, check_labels
from training.metrics.ratio import Array, Ints


@dataclass(frozen=True, slots=True)
class ClassPrior:
    """Class frequencies of each symbol's training rows, ``probabilities`` (S, 3)."""

    probabilities: Array

    @classmethod
    def fit(cls, labels: npt.ArrayLike, symbol_row: npt.ArrayLike, symbols: int, pseudo_count: float = 1.0) -> Self:
        """Count labels (n,) by symbol (n,); each class starts at ``pseudo_count`` (Laplace), so none has zero mass."""
        y = check_labels(labels)
        row = check_symbol_row(symbol_row, len(y), symbols)
        counts = np.bincount(row * CLASSES + y, minlength=symbols * CLASSES).reshape(symbols, CLASSES) + pseudo_count
        return cls(np.asarray(counts / counts.sum(axis=1, keepdims=True)))

    def predict(self, symbol_row: npt.ArrayLike) -> Array:
        """Return probabilities (n, 3) of rows of these symbols (n,)."""
        return self.probabilities[np.asarray(symbol_row, dtype=np.int64)]

    def take(self, symbols: npt.ArrayLike) -> Self:
        """Return the priors of the symbols at these positions, in this order."""
        return type(self)(self.probabilities[np.asarray(symbols)])

    def to_arrays(self) -> dict[str, Array]:
        """Return ``probabilities`` (S, 3)."""
        return {"probabilities": self.probabilities}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Self:
        """Invert :meth:`to_arrays`."""
        return cls(arrays["probabilities"])


def check_symbol_row(symbol_row: npt.ArrayLike, rows: int, symbols: int) -> Ints:
    """Return symbols' positions (n,) as int64; raise ``ValueError`` unless each is in [0, symbols), one per row."""
    row = np.asarray(symbol_row, dtype=np.int64)
    if row.shape != (rows,) or (rows and (row.min() < 0 or row.max() >= symbols)):
        raise ValueError(f"symbol_row has shape {row.shape}; expected ({rows},) with values from 0 to {symbols - 1}")
    return row
