"""BERT for sequence classification in operations of Keras.

References
----------
A. Vaswani et al., "Attention Is All You Need", 2017; J. Devlin et al., "BERT", 2019 (post-norm blocks, exact GELU).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from training.models.encoder.encoder_config import EncoderSpec
from training.models.encoder.token_batches import Network
from training.models.encoder.weights import Affine, Layer, Weights
from training.models.fleet.backend import Tensor, compiled, ops

_MASKED = -1e9  # added to the logits of padding: its weight is exactly 0 in float32


def build_network(spec: EncoderSpec, weights: Weights) -> Network:
    """Return the compiled network. What lies behind a text's length has no influence on its logits."""
    tensors = _as_tensors(weights)

    def logits(numbers: Tensor, lengths: Tensor) -> Tensor:
        length = ops.shape(numbers)[1]
        mask = ops.where(ops.arange(length)[None, :] < lengths[:, None], 0.0, _MASKED)[:, None, None, :]
        x = ops.take(tensors.words, numbers, axis=0) + tensors.places[:length]
        x = _normalised(x, tensors.norm, spec.epsilon)
        for layer in tensors.layers[:-1]:
            x = _block(x, x, mask, layer, spec)
        first = _block(x[:, :1], x, mask, tensors.layers[-1], spec)[:, 0]  # the classifier reads [CLS] alone
        return _dense(ops.tanh(_dense(first, tensors.pooler)), tensors.classifier)

    run = compiled(logits, [((None, None), "int32"), ((None,), "int32")])
    return lambda numbers, lengths: np.asarray(run(numbers, lengths))


def matrix_product_flops(spec: EncoderSpec, texts: int, tokens: int) -> float:
    """Return the floating-point operations of the network's matrix products for a batch of texts of equal length."""
    full = 2.0 * tokens * spec.width * (4 * spec.width + 2 * spec.inner_width) + 4.0 * tokens * tokens * spec.width
    keys = 2.0 * tokens * spec.width * 2 * spec.width
    last = keys + 2.0 * spec.width * (2 * spec.width + 2 * spec.inner_width) + 4.0 * tokens * spec.width
    return texts * ((spec.layers - 1) * full + last)


def _block(queries: Tensor, x: Tensor, mask: Tensor, layer: Layer, spec: EncoderSpec) -> Tensor:
    """Return the block's output ``(N, Q, width)`` at the positions of ``queries``, which attend to ``x``."""
    width = spec.width
    query = _dense(queries, Affine(layer.joined.matrix[:, :width], layer.joined.bias[:width]))
    both = _dense(x, Affine(layer.joined.matrix[:, width:], layer.joined.bias[width:]))
    key, value = both[..., :width], both[..., width:]
    q, k, v = (_heads(part, spec) for part in (query, key, value))  # (N, heads, ·, width / heads)
    scores = ops.matmul(q, ops.transpose(k, (0, 1, 3, 2))) / math.sqrt(width // spec.heads) + mask
    mixed = ops.transpose(ops.matmul(ops.softmax(scores, axis=-1), v), (0, 2, 1, 3))
    mixed = ops.reshape(mixed, (-1, ops.shape(queries)[1], width))
    attended = _normalised(queries + _dense(mixed, layer.attended), layer.attention_norm, spec.epsilon)
    inner = _activated(_dense(attended, layer.inner), spec.activation)
    return _normalised(attended + _dense(inner, layer.outer), layer.outer_norm, spec.epsilon)


def _heads(x: Tensor, spec: EncoderSpec) -> Tensor:
    split = ops.reshape(x, (-1, ops.shape(x)[1], spec.heads, spec.width // spec.heads))
    return ops.transpose(split, (0, 2, 1, 3))


def _dense(x: Tensor, affine: Affine) -> Tensor:
    return ops.matmul(x, affine.matrix) + affine.bias


def _normalised(x: Tensor, norm: Affine, epsilon: float) -> Tensor:
    centred = x - ops.mean(x, axis=-1, keepdims=True)
    variance = ops.mean(ops.square(centred), axis=-1, keepdims=True)
    return centred * ops.rsqrt(variance + epsilon) * norm.matrix + norm.bias


def _activated(x: Tensor, activation: str) -> Tensor:
    if activation == "relu":
        return ops.relu(x)
    return ops.gelu(x, approximate=activation != "gelu")


def _as_tensors(weights: Any) -> Any:
    """Return the same nested tuple with tensors in place of arrays."""
    if isinstance(weights, np.ndarray):
        return ops.convert_to_tensor(weights)
    parts = (_as_tensors(part) for part in weights)
    return type(weights)(*parts) if hasattr(weights, "_fields") else tuple(parts)
