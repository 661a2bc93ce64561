"""The weights of an encoder, by the names of the published BERT checkpoints, from safetensors only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load

from configs.errors import ModelError
from training.models.encoder.encoder_config import EncoderSpec

Array = NDArray[np.float32]
_OLD_NAMES = {".gamma": ".weight", ".beta": ".bias"}  # of layer norms, in checkpoints of 2018


class Affine(NamedTuple):
    """``x @ matrix + bias``; for a layer norm, the scale and the shift."""

    matrix: Array
    bias: Array


class Layer(NamedTuple):
    """One block: attention (``joined`` are query, key and value side by side), then two dense layers."""

    joined: Affine
    attended: Affine
    attention_norm: Affine
    inner: Affine
    outer: Affine
    outer_norm: Affine


class Weights(NamedTuple):
    """All arrays of an encoder, as float32; matrices are (inputs, outputs)."""

    words: Array
    places: Array  # of positions, with the first segment's embedding added
    norm: Affine
    layers: tuple[Layer, ...]
    pooler: Affine
    classifier: Affine


def parse_weights(data: bytes, spec: EncoderSpec, place: str) -> Weights:
    """Return the weights in a safetensors file.

    Raises
    ------
    ModelError
        It is no safetensors file; a tensor is missing or has another shape than ``config.json`` says; or one contains
        NaN or infinity.
    """
    try:
        arrays = load(data)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{place} is not a safetensors file ({error}). Download it again.") from error
    found = _Found({_new_name(name): array for name, array in arrays.items()}, place)
    width, classes = spec.width, len(spec.polarities)
    segments = found.array("embeddings.token_type_embeddings.weight", spec.segments, width)
    return Weights(
        words=found.array("embeddings.word_embeddings.weight", spec.vocabulary, width),
        places=found.array("embeddings.position_embeddings.weight", spec.positions, width) + segments[0],
        norm=found.norm("embeddings.LayerNorm", width),
        layers=tuple(_layers(found, spec)),
        pooler=found.dense("pooler.dense", width, width),
        classifier=found.dense("classifier", width, classes),
    )


def _layers(found: _Found, spec: EncoderSpec) -> Iterator[Layer]:
    width, inner = spec.width, spec.inner_width
    for number in range(spec.layers):
        prefix = f"encoder.layer.{number}"
        three = [found.dense(f"{prefix}.attention.self.{name}", width, width) for name in ("query", "key", "value")]
        yield Layer(
            joined=Affine(*(np.concatenate(part, axis=-1) for part in zip(*three, strict=True))),
            attended=found.dense(f"{prefix}.attention.output.dense", width, width),
            attention_norm=found.norm(f"{prefix}.attention.output.LayerNorm", width),
            inner=found.dense(f"{prefix}.intermediate.dense", width, inner),
            outer=found.dense(f"{prefix}.output.dense", inner, width),
            outer_norm=found.norm(f"{prefix}.output.LayerNorm", width),
        )


class _Found:
    """The tensors of a file, checked as they are taken."""

    def __init__(self, arrays: dict[str, NDArray[np.generic]], place: str) -> None:
        self._arrays = arrays
        self._place = place

    def array(self, name: str, *shape: int) -> Array:
        array = self._arrays.get(name)
        if array is None:
            full = name if name.startswith("classifier") else f"bert.{name}"
            raise ModelError(
                f"{self._place} has no tensor {full!r}; expected all of a BERT model for sequence classification. "
                "Use a fine-tuned model, or download the file again."
            )
        if array.shape != shape:
            raise ModelError(
                f"{self._place}: tensor {name!r} has shape {array.shape}; config.json says {shape}. "
                "Use a config.json and weights of one model."
            )
        found = np.ascontiguousarray(array, dtype=np.float32)
        if not np.isfinite(found).all():
            raise ModelError(f"{self._place}: tensor {name!r} contains NaN or infinity. Download the file again.")
        return found

    def dense(self, name: str, inputs: int, outputs: int) -> Affine:
        matrix = self.array(f"{name}.weight", outputs, inputs)
        return Affine(np.ascontiguousarray(matrix.T), self.array(f"{name}.bias", outputs))

    def norm(self, name: str, width: int) -> Affine:
        return Affine(self.array(f"{name}.weight", width), self.array(f"{name}.bias", width))


def _new_name(name: str) -> str:
    for old, new in _OLD_NAMES.items():
        if name.endswith(old):
            name = name.removesuffix(old) + new
    return name.removeprefix("bert.")
