"""A model's folder or URI: which files it must have, and which are refused."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from os import PathLike

from configs.errors import ModelError
from configs.safe_json import parse_json
from features.store.store import Store
from training.models.encoder.encoder_config import EncoderSpec, parse_spec
from training.models.encoder.wordpiece import WordPiece

CONFIG, VOCABULARY, WEIGHTS, ONNX, TOKENIZER = (
    "config.json",
    "vocab.txt",
    "model.safetensors",
    "model.onnx",
    "tokenizer_config.json",
)
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_CONVERT = (
    'Where you trust its source, convert it once: python -c "from transformers import '
    "AutoModelForSequenceClassification as M; M.from_pretrained('FOLDER').save_pretrained('FOLDER')\""
)


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """The content of a model's folder.

    ``digest`` is the SHA-256 (hex) of its weights, vocabulary and settings.
    """

    spec: EncoderSpec
    tokens: WordPiece
    weights: bytes
    weights_place: str
    digest: str


def read_model_files(uri: str | PathLike[str], weights: str = WEIGHTS) -> ModelFiles:
    """Return the files of a model in a folder, or below an ``s3://`` or ``gs://`` URI.

    Raises
    ------
    ModelError
        A file is missing or does not fit the others; or the weights exist only as a pickle, which could run any code
        while it is read.
    StoreError
        The folder cannot be read.
    """
    store = Store(uri)
    names = sorted(entry.name for entry in store.entries())
    for name in (CONFIG, VOCABULARY, weights):
        if name not in names:
            raise ModelError(_missing(name, names, store.uri))
    data = {name: store.read(name) for name in (CONFIG, VOCABULARY, weights, TOKENIZER) if name in names}
    spec = parse_spec(data[CONFIG], store.path(CONFIG))
    tokens = WordPiece(data[VOCABULARY], store.path(VOCABULARY), lower_case=_lower_case(data.get(TOKENIZER), store))
    if tokens.size > spec.vocabulary:
        raise ModelError(
            f"{store.path(VOCABULARY)} has {tokens.size:,} pieces; config.json says {spec.vocabulary:,}. "
            "Use the files of one model."
        )
    digest = hashlib.sha256()
    for name in sorted(data):
        digest.update(hashlib.sha256(data[name]).digest())
    return ModelFiles(spec, tokens, data[weights], store.path(weights), digest.hexdigest())


def _lower_case(data: bytes | None, store: Store) -> bool:
    try:
        settings = {} if data is None else parse_json(data)
    except ValueError as error:
        raise ModelError(f"{store.path(TOKENIZER)} is not JSON ({error}). Restore it, or remove it.") from error
    return bool(settings.get("do_lower_case", True)) if isinstance(settings, dict) else True


def _missing(name: str, names: list[str], uri: str) -> str:
    pickles = [other for other in names if other.endswith(_PICKLES)]
    if name == WEIGHTS and pickles:
        return f"{uri!r} has {pickles[0]}, a pickle that could run any code; expected {WEIGHTS}. {_CONVERT}."
    if name == WEIGHTS and f"{WEIGHTS}.index.json" in names:
        return f"{uri!r} has weights in several files; expected one {WEIGHTS}. Save the model with one shard."
    found = f"it has {', '.join(names[:8])}" if names else "it is empty or does not exist"
    return (
        f"{uri!r} has no {name} ({found}); expected {CONFIG}, {VOCABULARY} and {WEIGHTS}. "
        "Download the whole folder of the model."
    )
