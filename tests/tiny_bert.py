"""A seeded BERT of 2 layers, 32 wide, with 100 pieces, in the files that published models have."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

WIDTH, INNER, LAYERS, HEADS, POSITIONS, CLASSES = 32, 64, 2, 4, 512, 3
_WORDS = """
profit loss sales rose fell the a of to in and company shares up down by percent million net operating quarter year
from compared not did cost costs rise falls cafe naive 利 益 株 it s can t , . ! ? ' - % $ ( ) 5 10 2020 un
"""
_ENDINGS = "##s ##ed ##ing ##ly ##able ##ble ##a ##f ##ford ##aff ##1 ##2 ##0 ##er ##est ##t ##o ##e"
LABELS = {"0": "positive", "1": "negative", "2": "neutral"}


def pieces() -> list[str]:
    known = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *_WORDS.split(), *_ENDINGS.split()]
    return known + [f"[unused{n}]" for n in range(100 - len(known))]


def tensors(seed: int = 7) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    shapes = {
        "embeddings.word_embeddings.weight": (100, WIDTH),
        "embeddings.position_embeddings.weight": (POSITIONS, WIDTH),
        "embeddings.token_type_embeddings.weight": (2, WIDTH),
        "embeddings.LayerNorm": WIDTH,
        "pooler.dense": (WIDTH, WIDTH),
    }
    for n in range(LAYERS):
        layer = f"encoder.layer.{n}"
        shapes |= {f"{layer}.attention.self.{part}": (WIDTH, WIDTH) for part in ("query", "key", "value")}
        shapes |= {f"{layer}.attention.output.dense": (WIDTH, WIDTH), f"{layer}.attention.output.LayerNorm": WIDTH}
        shapes |= {f"{layer}.intermediate.dense": (INNER, WIDTH), f"{layer}.output.dense": (WIDTH, INNER)}
        shapes |= {f"{layer}.output.LayerNorm": WIDTH}
    out: dict[str, np.ndarray] = {}
    for name, shape in shapes.items():
        if isinstance(shape, int):
            out[f"bert.{name}.weight"] = 1.0 + 0.1 * rng.normal(size=shape)
            out[f"bert.{name}.bias"] = 0.1 * rng.normal(size=shape)
        elif name.endswith(".weight"):
            out[f"bert.{name}"] = 0.5 * rng.normal(size=shape)
        else:
            out[f"bert.{name}.weight"] = 0.3 * rng.normal(size=shape)
            out[f"bert.{name}.bias"] = 0.1 * rng.normal(size=shape[0])
    out["classifier.weight"] = 0.5 * rng.normal(size=(CLASSES, WIDTH))
    out["classifier.bias"] = 0.1 * rng.normal(size=CLASSES)
    return {name: array.astype(np.float32) for name, array in out.items()}


def write_tiny_bert(
    folder: Path,
    labels: Mapping[str, str] | None = LABELS,
    arrays: Mapping[str, np.ndarray] | None = None,
    **changes: object,
) -> Path:
    """Write the folder of the model, with other labels, tensors or settings where given."""
    config = {
        "model_type": "bert",
        "architectures": ["BertForSequenceClassification"],
        "hidden_size": WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "intermediate_size": INNER,
        "vocab_size": 100,
        "max_position_embeddings": POSITIONS,
        "type_vocab_size": 2,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-12,
        "id2label": labels,
        **changes,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "vocab.txt").write_text("\n".join(pieces()) + "\n", encoding="utf-8")
    save_file(dict(tensors() if arrays is None else arrays), folder / "model.safetensors", metadata={"format": "pt"})
    return folder
