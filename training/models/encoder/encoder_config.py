"""What ``config.json`` says about an encoder: its sizes, and what its classes mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from configs.errors import ModelError, shown
from configs.safe_json import parse_json

ACTIVATIONS = ("gelu", "gelu_new", "gelu_pytorch_tanh", "relu")
MOST_TOKENS = 512
_POLARITIES = {
    **dict.fromkeys(("positive", "pos", "bullish", "good"), 1.0),
    **dict.fromkeys(("negative", "neg", "bearish", "bad"), -1.0),
    **dict.fromkeys(("neutral", "neu", "none", "other"), 0.0),
}
_SIZES = {
    "hidden_size": 16_384,
    "num_hidden_layers": 200,
    "num_attention_heads": 512,
    "intermediate_size": 65_536,
    "vocab_size": 2_000_000,
    "max_position_embeddings": 100_000,
    "type_vocab_size": 100,
}


@dataclass(frozen=True, slots=True)
class EncoderSpec:
    """Sizes of an encoder, and its classes in the order of its outputs.

    ``polarities`` has 1 for a positive class, −1 for a negative and 0 for a neutral one.
    """

    width: int
    layers: int
    heads: int
    inner_width: int
    vocabulary: int
    positions: int
    segments: int
    activation: str
    epsilon: float
    polarities: tuple[float, ...]

    @property
    def max_tokens(self) -> int:
        """The tokens that one text can have, ``[CLS]`` and ``[SEP]`` included."""
        return min(MOST_TOKENS, self.positions)


def parse_spec(data: bytes, place: str) -> EncoderSpec:
    """Return what a ``config.json`` says.

    Raises
    ------
    ModelError
        It is no JSON, describes another architecture, lacks a size, or its ``id2label`` does not say which class is
        positive and which negative. Models disagree on the order of their classes, so no order is assumed.
    """
    try:
        config = parse_json(data)
    except ValueError as error:
        raise ModelError(
            f"{place} is not JSON ({error}); expected a model's config.json. Download it again."
        ) from error
    if not isinstance(config, dict) or config.get("model_type") != "bert":
        found = shown(config.get("model_type")) if isinstance(config, dict) else shown(config)
        raise ModelError(f"{place} has model_type {found}; expected 'bert'. Use a BERT model for classification.")
    sizes = {name: _size(config, name, most, place) for name, most in _SIZES.items()}
    if sizes["hidden_size"] % sizes["num_attention_heads"]:
        raise ModelError(
            f"{place}: hidden_size {sizes['hidden_size']} is no multiple of num_attention_heads "
            f"{sizes['num_attention_heads']}. Restore the file that belongs to the weights."
        )
    activation = config.get("hidden_act", "gelu")
    if activation not in ACTIVATIONS:
        raise ModelError(f"{place}: hidden_act is {shown(activation)}; expected one of {', '.join(ACTIVATIONS)}.")
    if config.get("position_embedding_type", "absolute") != "absolute":
        raise ModelError(f"{place}: position_embedding_type must be 'absolute'. Use another model.")
    epsilon = config.get("layer_norm_eps", 1e-12)
    if not isinstance(epsilon, float) or not 0.0 < epsilon < 1.0:
        raise ModelError(f"{place}: layer_norm_eps is {shown(epsilon)}; expected a number between 0 and 1, as 1e-12.")
    return EncoderSpec(
        width=sizes["hidden_size"],
        layers=sizes["num_hidden_layers"],
        heads=sizes["num_attention_heads"],
        inner_width=sizes["intermediate_size"],
        vocabulary=sizes["vocab_size"],
        positions=sizes["max_position_embeddings"],
        segments=sizes["type_vocab_size"],
        activation=activation,
        epsilon=epsilon,
        polarities=_polarities(config.get("id2label"), place),
    )


def _size(config: Mapping[str, Any], name: str, most: int, place: str) -> int:
    value = config.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= most:
        raise ModelError(
            f"{place}: {name} is {shown(value)}; expected a whole number from 1 to {most:,}. "
            "Restore the file that belongs to the weights."
        )
    return value


def _polarities(labels: object, place: str) -> tuple[float, ...]:
    remedy = 'Write the classes in the order of the model\'s outputs, such as {"0": "positive", "1": "negative", …}.'
    if not isinstance(labels, dict) or set(labels) != {str(n) for n in range(len(labels))}:
        raise ModelError(f"{place}: id2label is {shown(labels)}; expected a name for each class, 0 first. {remedy}")
    names = [str(labels[str(n)]).strip().lower() for n in range(len(labels))]
    if unnamed := [name for name in names if re.fullmatch(r"label_\d+", name)]:
        raise ModelError(
            f"{place}: id2label names a class {unnamed[0].upper()!r}, which does not say what it means; "
            f"expected positive, negative and neutral. {remedy}"
        )
    if unknown := [name for name in names if name not in _POLARITIES]:
        raise ModelError(
            f"{place}: id2label names a class {shown(unknown[0])}; expected one of {', '.join(_POLARITIES)}. {remedy}"
        )
    found = tuple(_POLARITIES[name] for name in names)
    if sorted(set(found)) not in ([-1.0, 0.0, 1.0], [-1.0, 1.0]) or len(set(found)) != len(found):
        raise ModelError(f"{place}: id2label is {shown(names)}; expected one positive and one negative class. {remedy}")
    return found
