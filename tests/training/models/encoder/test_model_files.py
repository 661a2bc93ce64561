"""A model's folder with a fault is one clear error that names the file, the fault and the remedy."""

import json
from pathlib import Path

import numpy as np
import pytest
from tiny_bert import tensors, write_tiny_bert

from configs.errors import FleetcastError, ModelError
from training.models.encoder.scorer import EncoderScorer
from training.models.encoder.wordpiece import WordPiece


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"}, "names a class 'LABEL_0', which does not say"),
        ({"0": "positive", "1": "negative", "2": "joy"}, "names a class 'joy'"),
        ({"0": "positive", "1": "pos", "2": "neutral"}, "expected one positive and one negative class"),
        ({"1": "positive", "2": "negative"}, "expected a name for each class, 0 first"),
        (None, "id2label is None"),
        ({"0": "positive", "1": "negative"}, "tensor 'classifier.weight' has shape"),
    ],
)
def test_classes_without_a_meaning_are_refused(tmp_path: Path, labels: dict[str, str] | None, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        EncoderScorer(write_tiny_bert(tmp_path, labels))


@pytest.mark.parametrize(
    "name", ["bert.encoder.layer.1.attention.self.key.weight", "classifier.bias", "bert.embeddings.LayerNorm.weight"]
)
def test_a_missing_tensor_is_named(tmp_path: Path, name: str) -> None:
    arrays = tensors()
    del arrays[name]
    with pytest.raises(ModelError, match=rf"model\.safetensors has no tensor '{name}'"):
        EncoderScorer(write_tiny_bert(tmp_path, arrays=arrays))


def test_weights_that_are_not_numbers_are_refused(tmp_path: Path) -> None:
    arrays = tensors()
    arrays["classifier.bias"][1] = np.nan
    with pytest.raises(ModelError, match=r"'classifier\.bias' contains NaN"):
        EncoderScorer(write_tiny_bert(tmp_path, arrays=arrays))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "roberta"}, "model_type 'roberta'; expected 'bert'"),
        ({"hidden_size": 33}, "33 is no multiple of num_attention_heads 4"),
        ({"hidden_size": 0}, "hidden_size is 0; expected a whole number from 1"),
        ({"num_hidden_layers": "2"}, "num_hidden_layers is '2'"),
        ({"hidden_act": "swish"}, "hidden_act is 'swish'"),
        ({"layer_norm_eps": -1.0}, "layer_norm_eps is -1.0"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type"),
        ({"vocab_size": 99}, "vocab.txt has 100 pieces; config.json says 99"),
        ({"vocab_size": 101}, "has shape \\(100, 32\\); config.json says \\(101, 32\\)"),
        ({"num_hidden_layers": 3}, "no tensor 'bert.encoder.layer.2"),
    ],
)
def test_settings_that_do_not_fit_are_refused(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        EncoderScorer(write_tiny_bert(tmp_path, **changes))


def test_pickles_are_refused_with_the_remedy(tmp_path: Path) -> None:
    folder = write_tiny_bert(tmp_path)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"pytorch_model.bin, a pickle .* convert it once: python -c"):
        EncoderScorer(folder)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", b"{", "config.json is not JSON"),
        ("config.json", b"[]", "model_type \\[\\]"),
        ("vocab.txt", b"\xff\xfe", "vocab.txt is not UTF-8"),
        ("vocab.txt", b"[PAD]\n[UNK]\n[CLS]\n", r"vocab.txt lacks \[SEP\]"),
        ("model.safetensors", b"\x00" * 20, "model.safetensors is not a safetensors file"),
        ("model.safetensors", b"", "is not a safetensors file"),
        ("tokenizer_config.json", b"{", "tokenizer_config.json is not JSON"),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    folder = write_tiny_bert(tmp_path)
    (folder / name).write_bytes(content)
    with pytest.raises(ModelError, match=message):
        EncoderScorer(folder)


@pytest.mark.parametrize("name", ["config.json", "vocab.txt", "model.safetensors"])
def test_missing_files_are_named(tmp_path: Path, name: str) -> None:
    folder = write_tiny_bert(tmp_path)
    (folder / name).unlink()
    with pytest.raises(ModelError, match=f"has no {name} .*Download the whole folder"):
        EncoderScorer(folder)


@pytest.mark.parametrize("uri", ["/nowhere/at/all", "https://example.com/model", "hf://someone/model", ""])
def test_places_without_a_model_are_one_error(uri: str) -> None:
    with pytest.raises(FleetcastError):
        EncoderScorer(uri)


@pytest.mark.slow
def test_cased_models_keep_case_and_accents(tmp_path: Path) -> None:
    folder = write_tiny_bert(tmp_path)
    upper = EncoderScorer(folder)
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": False}))
    cased = EncoderScorer(folder)
    assert cased.name != upper.name
    np.testing.assert_array_equal(cased.logits(["profit"]), upper.logits(["PROFIT"]))
    assert not np.array_equal(cased.logits(["PROFIT"]), upper.logits(["PROFIT"]))


def test_special_pieces_in_a_text_are_plain_words() -> None:
    words = WordPiece(b"[PAD]\n[UNK]\n[CLS]\n[SEP]\nsales", "vocab.txt")
    assert words.encode("sales [SEP] sales", 512) == [2, 4, 1, 1, 1, 4, 3]
    assert words.encode("sales " * 9, 4) == [2, 4, 4, 3]
