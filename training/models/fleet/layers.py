"""Fleet layers: one layer of S networks at once. Pure functions of weights with a leading symbol axis.

Sequences are *time-major rows*: ``(S, T·B, D)``, step t of all B windows before step t + 1, so that one step of
every window is one contiguous slice and a product over all steps is one large matrix product per symbol.
"""

from __future__ import annotations

from collections.abc import Sequence

from training.models.fleet.backend import Tensor, matmul_nt, matmul_tn, ops, sigmoid_gradient, tanh_gradient
from training.models.fleet.gather import gather_steps


def fleet_dense(x: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    """Return ``x·kernel + bias`` per symbol: (S, R, D) with (S, D, U) and (S, U) gives (S, R, U)."""
    return ops.matmul(x, kernel) + ops.expand_dims(bias, 1)


def fleet_layer_norm(x: Tensor, scale: Tensor, offset: Tensor, epsilon: float = 1e-3) -> Tensor:
    """Normalise the last axis of (S, R, U) with per-symbol scale and offset (S, U).

    References
    ----------
    Ba, Kiros & Hinton (2016). Layer normalization. arXiv:1607.06450, eq. 4.
    """
    centred = x - ops.mean(x, axis=-1, keepdims=True)
    normed = centred * ops.rsqrt(ops.mean(ops.square(centred), axis=-1, keepdims=True) + epsilon)
    return normed * ops.expand_dims(scale, 1) + ops.expand_dims(offset, 1)


def fleet_lstm(x: Tensor, kernel: Tensor, recurrent: Tensor, bias: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """Return every hidden state of S LSTMs over time-major rows, and each window's last.

    Shapes: ``x`` (S, T·B, D), ``kernel`` (S, D, 4U), ``recurrent`` (S, U, 4U), ``bias`` (S, 4U), results
    (S, T·B, U) and (S, B, U); ``steps`` is T. Gates are ordered input, forget, output, candidate.

    The gradient is written out: automatic differentiation accumulates the kernels' gradients step by step, here
    each is one product over all steps. A test checks it against Keras' LSTM and its automatic gradient.

    References
    ----------
    Hochreiter & Schmidhuber (1997). Long short-term memory. Neural Computation 9. Gers, Schmidhuber & Cummins (2000).
    Learning to forget. Neural Computation 12 (the forget gate).
    """

    @ops.custom_gradient  # type: ignore[untyped-decorator]
    def run(x: Tensor, kernel: Tensor, recurrent: Tensor, bias: Tensor) -> tuple[tuple[Tensor, Tensor], object]:
        inputs = ops.split(fleet_dense(x, kernel, bias), steps, axis=1)
        states, saved = _recurrence(inputs, recurrent)

        def gradient(*args: Tensor) -> tuple[Tensor, ...]:
            d_states, d_hidden = args if len(args) == 2 else args[0]  # TensorFlow's and JAX's conventions
            upstreams = ops.split(d_states, steps, axis=1)
            d_cell = zero = ops.zeros_like(states[0])
            d_inputs: list[Tensor] = [None] * steps
            for step in reversed(range(steps)):
                i, f, o, g, previous, squashed = saved[step]
                d_hidden = d_hidden + upstreams[step]
                d_cell = d_cell + tanh_gradient(squashed, d_hidden * o)
                d_z = ops.concatenate(
                    [
                        sigmoid_gradient(i, d_cell * g),
                        sigmoid_gradient(f, d_cell * previous),
                        sigmoid_gradient(o, d_hidden * squashed),
                        tanh_gradient(g, d_cell * i),
                    ],
                    axis=-1,
                )
                d_inputs[step] = d_z
                d_cell = d_cell * f
                d_hidden = matmul_nt(d_z, recurrent)
            d_all = ops.concatenate(d_inputs, axis=1)  # (S, T·B, 4U)
            before = ops.concatenate([zero, *states[:-1]], axis=1)
            return matmul_nt(d_all, kernel), matmul_tn(x, d_all), matmul_tn(before, d_all), ops.sum(d_all, axis=1)

        return (ops.concatenate(states, axis=1), states[-1]), gradient

    states, last = run(x, kernel, recurrent, bias)
    return states, last


def fleet_lstm_over_bars(
    bars: Tensor, ends: Tensor, kernel: Tensor, recurrent: Tensor, bias: Tensor, steps: int
) -> tuple[Tensor, Tensor]:
    """Return what :func:`fleet_lstm` does for the windows that end at ``ends`` (S, B) in ``bars`` (S, N, D).

    Each bar is projected once, not once for each of the T windows that hold it; for evaluating, not for training.
    """
    states, _ = _recurrence(gather_steps(fleet_dense(bars, kernel, bias), ends, steps), recurrent)
    return ops.concatenate(states, axis=1), states[-1]


def _recurrence(inputs: Sequence[Tensor], recurrent: Tensor) -> tuple[list[Tensor], list[tuple[Tensor, ...]]]:
    """Return the hidden states T × (S, B, U) after projected inputs T × (S, B, 4U), and what the gradient needs."""
    units = recurrent.shape[1]
    hidden = cell = ops.zeros_like(inputs[0][:, :, :units])
    states, saved = [], []
    for step, z in enumerate(inputs):
        z = z + ops.matmul(hidden, recurrent) if step else z
        gates = ops.sigmoid(z[:, :, : 3 * units])
        i, f, o = gates[:, :, :units], gates[:, :, units : 2 * units], gates[:, :, 2 * units :]
        g = ops.tanh(z[:, :, 3 * units :])
        previous, cell = cell, f * cell + i * g
        squashed = ops.tanh(cell)
        hidden = o * squashed
        saved.append((i, f, o, g, previous, squashed))
        states.append(hidden)
    return states, saved


def fleet_attention(
    x: Tensor, last: Tensor, query: Tensor, key: Tensor, value: Tensor, output: Tensor, *, steps: int, heads: int
) -> Tensor:
    """Return multi-head attention of each window's last state over all its states.

    Shapes: ``x`` (S, T·B, U), the four projections (S, U, U), result (S, B, U). This is multi-head attention with
    the last step as the query. Keys and values are never formed for every step: the query is carried back through
    the key projection, and the value projection is applied after averaging, so the cost is O(U) a step, not O(U²).

    References
    ----------
    Vaswani et al. (2017). Attention is all you need. NeurIPS, section 3.2; the reordering is associativity.
    """
    units = key.shape[1]
    size = units // heads
    count = ops.shape(x)[0]
    series = ops.transpose(ops.reshape(x, (count, steps, -1, units)), (0, 2, 1, 3))  # (S, B, T, U)

    def by_head(values: Tensor) -> Tensor:  # (S, R, U) to (S, heads, R, size)
        return ops.transpose(ops.reshape(values, (count, -1, heads, size)), (0, 2, 1, 3))

    queries = by_head(ops.matmul(last, query) * (size**-0.5))
    carried = matmul_nt(queries, by_head(key))  # (S, heads, B, U): the query seen from the inputs
    scores = matmul_nt(ops.transpose(carried, (0, 2, 1, 3)), series)  # (S, B, heads, T)
    mixed = ops.matmul(ops.softmax(scores, axis=-1), series)  # (S, B, heads, U)
    heads_out = ops.matmul(ops.transpose(mixed, (0, 2, 1, 3)), by_head(value))  # (S, heads, B, size)
    joined = ops.reshape(ops.transpose(heads_out, (0, 2, 1, 3)), (count, -1, units))
    return ops.matmul(joined, output)
