"""Fit S networks at once, each exactly as if it were alone: own data order, own early stopping, own best epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.data.arrays import position_in_group
from training.data.fleet_data import FleetData
from training.data.windows import bar_owners
from training.models.fleet.backend import TENSORFLOW, Tensor, ops
from training.models.fleet.gather import Int32, needed_bars, pad_ends
from training.models.fleet.graphs import FitPlan, Loss, evaluation_function, forward_function, step_function
from training.models.fleet.network import FleetNetwork, symbol_generator
from training.models.fleet.watch import report_epoch

__all__ = ["FitPlan", "FleetFit", "fit_fleet", "predict_fleet", "predict_windows"]

Float32 = npt.NDArray[np.float32]

_PADDING = 4  # times the mean windows of a symbol, from which it is evaluated alone
_EVALUATED_AT_ONCE = 8192  # windows of all symbols together; 20 steps of 32 units take 10 KiB each


@dataclass(frozen=True, slots=True)
class FleetFit:
    """What a fit leaves: ``weights`` (S, P) of each symbol's best epoch (0: the initial weights were best).

    ``valid_loss`` is (epochs + 1, S), from before the first epoch on, NaN once a symbol has stopped. ``failures``
    maps positions of symbols whose loss never was finite to the reason.
    """

    weights: Float32
    best_epoch: npt.NDArray[np.int64]
    valid_loss: Float32
    failures: dict[int, str]


def fit_fleet(
    network: FleetNetwork,
    loss: Loss,
    data: FleetData,
    plan: FitPlan,
    initial: Float32,
    anchor: Float32 | None = None,
    epochs: npt.NDArray[np.int64] | None = None,
) -> FleetFit:
    """Fit a fleet by Adam with per-symbol early stopping on the validation windows, or for given epochs.

    Every step is elementwise or a product within one symbol, so symbols cannot influence each other.

    Parameters
    ----------
    network
        The architecture.
    loss
        One of :mod:`training.models.fleet.losses`.
    data
        Windows of S symbols; validation windows are used only to choose each symbol's epoch.
    plan
        The numbers of the fit.
    initial
        Weights (S, P) to start from.
    anchor
        Weights (S, P) that ``plan.shrinkage`` pulls towards; ``initial`` if not given.
    epochs
        How many epochs each symbol is fitted for (S,), as an earlier fit chose them; validation then chooses nothing.

    References
    ----------
    Kingma & Ba (2015). Adam: a method for stochastic optimization. ICLR, algorithm 1.
    """
    step = step_function(network, loss, data.targets.shape[-1])
    evaluate = evaluation_function(network, loss, data.targets.shape[-1])
    count = len(data.symbols)
    rates = ops.convert_to_tensor(plan.rates)
    rows = np.arange(count)  # positions of the symbols still being fitted
    buffer, targets = _tensor(data.buffer), _tensor(data.targets)
    weights, anchors = _tensor(initial), _tensor(initial if anchor is None else anchor)
    first = second = ops.zeros_like(weights)
    updates = ops.zeros((count, 1), dtype="float32")

    last = np.full(count, plan.epochs) if epochs is None else epochs
    best, best_epoch = initial.copy(), np.zeros(count, np.int64)
    history = np.full((int(last.max(initial=0)) + 1, count), np.nan, np.float32)
    valid = _validation(data, network.config.window)
    history[0] = _mean_loss(evaluate, weights, valid)
    best_loss = np.where(np.isfinite(history[0]), history[0], np.inf)
    stalled = np.zeros(count, np.int64)

    for epoch in range(1, int(last.max(initial=0)) + 1):
        moving = np.flatnonzero((stalled[rows] < plan.patience) & (epoch <= last[rows]))
        if not len(moving):
            break
        if len(moving) < len(rows) and TENSORFLOW:  # JAX would compile every new number of symbols
            buffer, targets, weights, anchors, first, second, updates = (
                ops.take(value, moving, axis=0) for value in (buffer, targets, weights, anchors, first, second, updates)
            )
            valid = [tuple(ops.take(value, moving, axis=0) for value in chunk) for chunk in valid]
            rows = rows[moving]
        fitting = (stalled[rows] < plan.patience) & (epoch <= last[rows])
        for ends, sample_weights, keep in _epoch_batches(network, data, rows, fitting, epoch, plan):
            weights, first, second, updates = step(
                buffer, targets, weights, first, second, updates, anchors, ends, sample_weights, keep, rates
            )
        losses = _mean_loss(evaluate, weights, valid)
        current = ops.convert_to_numpy(weights)
        for position in np.flatnonzero(fitting):
            row, value = rows[position], losses[position]
            history[epoch, row] = value
            if np.isfinite(value) if epochs is not None else value < best_loss[row] - 1e-6:
                best_loss[row], best_epoch[row], stalled[row] = value, epoch, 0
                best[row] = current[position]
            else:
                stalled[row] = stalled[row] + 1 if np.isfinite(value) else plan.patience
        known = np.isfinite(best_loss)  # a symbol that cannot be fitted must not hide how the others do
        report_epoch(epoch, float(best_loss[known].mean()) if known.any() else float("inf"))
    failures = {
        int(row): "the validation loss was never finite: the fit diverged or the data hold no usable window"
        for row in np.flatnonzero(~np.isfinite(best_loss))
    }
    return FleetFit(best, best_epoch, history, failures)


def predict_fleet(network: FleetNetwork, weights: Float32, buffer: Float32, ends: Sequence[Int32]) -> list[Float32]:
    """Return each symbol's outputs (windows, outputs) for windows that end at ``ends`` in ``buffer`` (S, N, F)."""
    forward = forward_function(network)
    padded, _ = pad_ends(ends, max(map(len, ends), default=0))
    device_weights = _tensor(weights)
    chunks = [
        ops.convert_to_numpy(forward(device_weights, *needed_bars(buffer, padded[:, part], network.config.window)))
        for part in _parts(padded)
    ]
    outputs = np.concatenate(chunks, axis=1) if chunks else np.zeros((len(ends), 0, network.outputs), np.float32)
    return [outputs[row, : len(values)] for row, values in enumerate(ends)]


def predict_windows(
    network: FleetNetwork, weights: Float32, bars: Float32, ends: npt.NDArray[np.int64], symbols: npt.NDArray[np.int64]
) -> Float32:
    """Return the outputs (n, outputs) of windows of any mix of symbols that end at ``ends`` (n,) in ``bars`` (N, F).

    ``weights`` (R, P) are of one network for all (R = 1), or those of ``symbols`` (n,) are its rows. Bars that windows
    of one symbol share are projected once; windows of different symbols share none. A symbol with many more windows
    than the mean is evaluated alone, because the others would be padded to its length.
    """
    if not len(ends):
        return np.zeros((0, network.outputs), np.float32)
    # Not `row_index`: with one network, windows of all symbols read the bars where they are, without padding.
    if len(weights) == 1:
        row, slot = np.zeros(len(ends), np.int64), np.arange(len(ends))
        buffer, padded = bars[None], ends[None]
    else:
        used, row, counts = np.unique(symbols, return_inverse=True, return_counts=True)
        owner = bar_owners(len(bars), ends, network.config.window, row)
        position, slot = position_in_group(owner), position_in_group(row)
        many = np.flatnonzero(counts > _PADDING * len(ends) / len(used))
        if len(many):
            outputs = np.empty((len(ends), network.outputs), np.float32)
            for one in many.tolist():
                mine = row == one
                own = weights[used[one] : used[one] + 1]
                outputs[mine] = predict_windows(network, own, bars[owner == one], position[ends[mine]], symbols[mine])
            rest, kept = ~np.isin(row, many), ~np.isin(owner, many)
            moved = (np.cumsum(kept) - 1)[ends[rest]]
            outputs[rest] = predict_windows(network, weights, bars[kept], moved, symbols[rest])
            return outputs
        buffer = np.zeros((len(used), int(position.max()) + 1, bars.shape[1]), np.float32)
        buffer[owner, position] = bars
        padded = np.full((len(used), int(slot.max()) + 1), network.config.window - 1)
        padded[row, slot] = position[ends]
        weights = weights[used]
    arguments = np.ascontiguousarray(weights, np.float32), np.ascontiguousarray(buffer, np.float32)
    outputs = forward_function(network)(*arguments, padded.astype(np.int32))  # Keras' conversion costs half a ms
    return np.asarray(ops.convert_to_numpy(outputs), np.float32)[row, slot]


def _epoch_batches(
    network: FleetNetwork,
    data: FleetData,
    rows: npt.NDArray[np.int64],
    fitting: npt.NDArray[np.bool_],
    epoch: int,
    plan: FitPlan,
) -> list[tuple[Int32, Float32, Float32]]:
    """Return an epoch's batches: ends (S, B), weights (S, B), dropout masks (S, B, U), drawn per symbol."""
    units, rate = network.config.lstm_units[-1], network.config.dropout
    longest = max(len(data.train[row]) for row in rows)
    length = -(-longest // plan.batch_size) * plan.batch_size
    order: list[Int32] = []
    keep = np.ones((len(rows), length, units), np.uint8)
    for position, row in enumerate(rows):
        ends = data.train[row] if fitting[position] else data.train[row][:0]
        rng = symbol_generator(plan.seed, data.symbols[row], f"epoch {epoch}")
        order.append(rng.permutation(ends))
        if rate:
            keep[position, : len(ends)] = rng.random((len(ends), units), dtype=np.float32) >= rate
    ends, sample_weights = pad_ends(order, length)
    scale = np.float32(1.0 / (1.0 - rate))
    batches = []
    for start in range(0, length, plan.batch_size):
        part = slice(start, start + plan.batch_size)
        batches.append((ends[:, part], sample_weights[:, part], keep[:, part] * scale))
    return batches


def _validation(data: FleetData, window: int) -> list[tuple[Tensor, ...]]:
    """Return the validation windows in chunks of bars, ends, targets and weights (0 on padding), on the device."""
    padded, weights = pad_ends(data.valid, max(map(len, data.valid), default=0))
    wanted = np.take_along_axis(data.targets, padded[:, :, None], axis=1)
    chunks = [
        (*needed_bars(data.buffer, padded[:, part], window), wanted[:, part], weights[:, part])
        for part in _parts(padded)
    ]
    return [tuple(ops.convert_to_tensor(values) for values in chunk) for chunk in chunks]


def _mean_loss(evaluate: Callable[..., Tensor], weights: Tensor, chunks: list[tuple[Tensor, ...]]) -> Float32:
    """Return each symbol's mean loss (S,) over its validation windows; NaN where it has none."""
    total, counts = np.zeros((2, len(weights)))
    for *windows, sample_weights in chunks:
        counted = ops.convert_to_numpy(sample_weights) > 0
        losses = ops.convert_to_numpy(evaluate(weights, *windows))
        total += np.where(counted, losses, 0.0).sum(axis=1, dtype=np.float64)
        counts += counted.sum(axis=1)
    mean = np.full(len(total), np.nan)
    np.divide(total, counts, out=mean, where=counts > 0)
    return mean.astype(np.float32)


def _parts(padded: Int32) -> list[slice]:
    """Return slices of the windows of all symbols, small enough to be evaluated at once."""
    size = max(_EVALUATED_AT_ONCE // max(len(padded), 1), 256)
    return [slice(start, start + size) for start in range(0, padded.shape[1], size)]


def _tensor(values: npt.NDArray[np.float32]) -> Tensor:
    return ops.convert_to_tensor(np.ascontiguousarray(values, np.float32))
