"""Windows gathered on the device, step by step, from the padded features of a block."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from training.models.fleet.backend import Tensor, ops

Float32 = npt.NDArray[np.float32]
Int32 = npt.NDArray[np.int32]


def gather_windows(buffer: Tensor, ends: Tensor, window: int) -> Tensor:
    """Return time-major windows (S, T·B, F) that end at ``ends`` (S, B) in ``buffer`` (S, N, F)."""
    flat, last = _flattened(buffer, ends)
    offsets = np.arange(1 - window, 1, dtype=np.int32)[None, :, None]
    rows = ops.expand_dims(last, 1) + offsets  # (S, T, B)
    return ops.take(flat, ops.reshape(rows, (ops.shape(buffer)[0], -1)), axis=0)


def gather_steps(buffer: Tensor, ends: Tensor, window: int) -> list[Tensor]:
    """Return the same windows step by step, the oldest first: T × (S, B, F)."""
    flat, last = _flattened(buffer, ends)
    return [ops.take(flat, last - back, axis=0) for back in reversed(range(window))]


def gather_last(values: Tensor, ends: Tensor) -> Tensor:
    """Return ``values`` (S, N, K) at ``ends`` (S, B): (S, B, K)."""
    return gather_windows(values, ends, 1)


def _flattened(buffer: Tensor, ends: Tensor) -> tuple[Tensor, Tensor]:
    """Return all bars of a buffer in one column (S·N, F), and where windows end in it (S, B)."""
    shape = ops.shape(buffer)
    start = ops.arange(shape[0], dtype="int32") * ops.cast(shape[1], "int32")
    return ops.reshape(buffer, (-1, buffer.shape[-1])), ends + ops.expand_dims(start, 1)


def needed_bars(buffer: Float32, ends: Int32, window: int) -> tuple[Float32, Int32]:
    """Return the bars (S, L, F) of a buffer (S, N, F) that windows ending at ``ends`` (S, B) read, and the new ends.

    Bars keep their order, so overlapping windows share them.
    """
    rows = np.arange(len(buffer))[:, None]
    needed = np.zeros(buffer.shape[:2], bool)
    for back in range(window):
        needed[rows, ends - back] = True
    position = needed.cumsum(axis=1, dtype=np.int32) - 1
    bars = np.zeros((len(buffer), int(position.max(initial=-1)) + 1, buffer.shape[2]), np.float32)
    for row, chosen in enumerate(needed):
        bars[row, : position[row, -1] + 1] = buffer[row, chosen]
    return bars, position[rows, ends]


def pad_ends(ends: Sequence[Int32], length: int) -> tuple[Int32, Float32]:
    """Return ends (S, length) padded by each symbol's first end, and weights (S, length) that are 0 on padding."""
    padded = np.zeros((len(ends), length), np.int32)
    weights = np.zeros((len(ends), length), np.float32)
    for row, values in enumerate(ends):
        padded[row, : len(values)] = values
        padded[row, len(values) :] = values[0] if len(values) else 0
        weights[row, : len(values)] = 1.0
    return padded, weights
