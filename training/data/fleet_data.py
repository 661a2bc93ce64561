"""The data of a fleet's fit: padded features, targets and window ends.

Only bars that a window reaches are scaled and copied.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from features.panel import Panel
from training.data.arrays import Float32, T
from training.data.design import Design
from training.data.examples import Examples, Int64

Int32 = npt.NDArray[np.int32]

POOLED = "*pooled*"


@dataclass(frozen=True, slots=True)
class FleetData:
    """What a fleet is fitted on.

    Shapes: ``buffer`` (S, N, F) scaled features, shorter symbols padded at the end; ``targets`` (S, N, K), read at a
    window's last bar; ``train`` and ``valid`` hold each symbol's window ends (positions in N, at least window − 1).
    """

    symbols: tuple[str, ...]
    buffer: Float32
    targets: Float32
    train: tuple[Int32, ...]
    valid: tuple[Int32, ...]


@dataclass(frozen=True, slots=True)
class FeatureBuffer:
    """Positions of each symbol's bars in a padded feature buffer: ``length[i]`` bars of symbol i from ``first[i]`` on.

    ``joined`` puts all symbols one after the other, as one series (1, N, F) that a pooled network reads; otherwise each
    symbol is a row of (S, N, F), padded at the end.
    """

    first: Int64
    length: Int64
    joined: bool

    @classmethod
    def of(cls, rows: Sequence[Int64], window: int, *, joined: bool = False) -> Self:
        """Return the positions of windows of so many bars that end at these rows of each symbol."""
        first = np.array([max(int(r.min()) - window + 1, 0) if len(r) else 0 for r in rows], np.int64)
        stop = np.array([int(r.max()) + 1 if len(r) else 0 for r in rows], np.int64)
        return cls(first, stop - first, joined)

    def pack(self, pieces: Iterable[Float32], width: int) -> Float32:
        """Return a buffer of the symbols' pieces, each (length, width)."""
        if self.joined:
            buffer = np.empty((1, int(self.length.sum()), width), np.float32)
        else:
            buffer = np.zeros((len(self.length), int(self.length.max(initial=0)), width), np.float32)
        for i, (piece, start) in enumerate(zip(pieces, self._starts(), strict=True)):
            buffer[0 if self.joined else i, start : start + len(piece)] = piece
        return buffer

    def features(self, panel: Panel, design: Design) -> Float32:
        """Return the buffer of the features (rows, F) of a panel that a design takes, scaled."""
        pieces = (design.transform(part, i) for i, part in enumerate(self._of(panel, panel.features)))
        return self.pack(pieces, design.width)

    def values(self, panel: Panel, values: npt.NDArray[np.floating]) -> Float32:
        """Return the buffer of values (rows, K) of a panel."""
        return self.pack((part.astype(np.float32) for part in self._of(panel, values)), values.shape[1])

    def ends(self, rows: Sequence[Int64]) -> tuple[Int32, ...]:
        """Return rows within each symbol as positions in the buffer, one array for each of its series."""
        moved = [
            np.asarray(r - first + start, np.int32)
            for r, first, start in zip(rows, self.first, self._starts(), strict=True)
        ]
        return (np.concatenate(moved),) if self.joined else tuple(moved)

    def _starts(self) -> list[int]:
        return (np.cumsum(self.length) - self.length).tolist() if self.joined else [0] * len(self.length)

    def _of(self, panel: Panel, values: npt.NDArray[T]) -> Iterator[npt.NDArray[T]]:
        for i, (first, length) in enumerate(zip(self.first, self.length, strict=True)):
            start = int(panel.offsets[i] + first)
            yield values[start : start + int(length)]


def fleet_data(
    examples: Examples,
    window: int,
    design: Design,
    targets: npt.NDArray[np.floating],
    *,
    pooled_rows: int | None = None,
) -> FleetData:
    """Return what a fleet is fitted on: one network per symbol, or one for all of them.

    Parameters
    ----------
    window
        Bars of a window.
    design
        The features to take, and how they are scaled.
    targets
        (rows, K) of the panel; only train and validation rows are read.
    pooled_rows
        Join all symbols to one, and thin its train rows evenly to about this many.
    """
    train, valid, joined = examples.part("train"), examples.part("valid"), pooled_rows is not None
    layout = FeatureBuffer.of(examples.train_and_valid(), window, joined=joined)
    if pooled_rows is not None:
        stride = max(1, -(-sum(map(len, train)) // pooled_rows))
        train = [rows[::stride] for rows in train]
    return FleetData(
        (POOLED,) if joined else examples.panel.symbols,
        layout.features(examples.panel, design),
        layout.values(examples.panel, targets),
        layout.ends(train),
        layout.ends(valid),
    )
