"""The few operations that Keras does not abstract over its backends: compiling, differentiating, transposed products.

TensorFlow is the product's backend. JAX is supported so that a fleet can be measured on accelerators where
TensorFlow is not installed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from training.models.fleet.quick_import import collecting_later
from training.models.fleet.quiet_import import without_banners

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

with collecting_later(), without_banners():
    import keras
    from keras import ops

__all__ = [
    "TENSORFLOW",
    "Tensor",
    "compiled",
    "matmul_nt",
    "matmul_tn",
    "ops",
    "sigmoid_gradient",
    "tanh_gradient",
    "value_and_gradient",
]

Tensor = Any
Signature = Sequence[tuple[Sequence[int | None], str]]

TENSORFLOW = keras.backend.backend() == "tensorflow"


def compiled(function: Callable[..., Any], signature: Signature) -> Callable[..., Any]:
    """Compile a pure function of tensors for ``(shape, dtype)`` arguments; ``None`` dimensions may vary.

    TensorFlow traces once for all sizes. No XLA there: measured on two CPU cores, a plain graph of the unrolled
    recurrence traces in about a second and runs as fast as XLA's loop, which compiles for 5 to 50 s a shape; XLA for
    the gates alone gained nothing.
    """
    if TENSORFLOW:
        import tensorflow as tf

        specs = [tf.TensorSpec(shape, dtype) for shape, dtype in signature]
        graph = tf.function(function, input_signature=specs, autograph=False)

        # A tf.function would look for the right trace at every call: half a millisecond, of one and a half in all.
        trace = cache(graph.get_concrete_function)
        return lambda *arguments: trace()(*(tf.convert_to_tensor(one) for one in arguments))
    import jax

    jitted: Callable[..., Any] = jax.jit(function)
    return jitted


def value_and_gradient(function: Callable[[Tensor], tuple[Tensor, Tensor]], at: Tensor) -> tuple[Tensor, Tensor]:
    """Return ``(auxiliary, gradient)`` of ``function(at) -> (scalar, auxiliary)``."""
    if TENSORFLOW:
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(at)
            value, auxiliary = function(at)
        return auxiliary, tape.gradient(value, at)
    import jax

    (_, auxiliary), gradient = jax.value_and_grad(function, has_aux=True)(at)
    return auxiliary, gradient


def matmul_tn(a: Tensor, b: Tensor) -> Tensor:
    """Return ``aᵀ b`` (…, I, J) of (…, N, I) and (…, N, J) without materialising the transpose."""
    if TENSORFLOW:
        import tensorflow as tf

        return tf.matmul(a, b, transpose_a=True)
    return ops.einsum("...ni,...nj->...ij", a, b)


def matmul_nt(a: Tensor, b: Tensor) -> Tensor:
    """Return ``a bᵀ`` (…, I, J) of (…, I, N) and (…, J, N) without materialising the transpose."""
    if TENSORFLOW:
        import tensorflow as tf

        return tf.matmul(a, b, transpose_b=True)
    return ops.einsum("...in,...jn->...ij", a, b)


def sigmoid_gradient(y: Tensor, upstream: Tensor) -> Tensor:
    """Return ``upstream · y (1 − y)`` for ``y = σ(z)``, elementwise, in one pass over memory."""
    if TENSORFLOW:
        import tensorflow as tf

        return tf.raw_ops.SigmoidGrad(y=y, dy=upstream)
    return upstream * y * (1.0 - y)


def tanh_gradient(y: Tensor, upstream: Tensor) -> Tensor:
    """Return ``upstream · (1 − y²)`` for ``y = tanh(z)``, elementwise, in one pass over memory."""
    if TENSORFLOW:
        import tensorflow as tf

        return tf.raw_ops.TanhGrad(y=y, dy=upstream)
    return upstream * (1.0 - y * y)


def sees_gpu() -> bool:
    """Whether the backend can use a GPU in this process."""
    if TENSORFLOW:
        import tensorflow as tf

        return bool(tf.config.list_physical_devices("GPU"))
    import jax

    return any(device.platform == "gpu" for device in jax.devices())
