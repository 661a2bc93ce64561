"""The encoder against logits of another implementation, and what must not influence a text's score."""

import json
from pathlib import Path

import numpy as np
import pytest
from tiny_bert import LABELS, tensors, write_tiny_bert

from features.alternative.text.scorer import Scorer
from features.store.store import Store
from training.models.encoder.bert import matrix_product_flops
from training.models.encoder.folder import read_model_files
from training.models.encoder.scorer import EncoderScorer
from training.models.encoder.token_batches import TokenBatches

GOLDEN = json.loads((Path(__file__).parent / "golden.json").read_text(encoding="utf-8"))["texts"]
TEXTS = [one["text"] * one["repeated"] for one in GOLDEN]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bert(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def scorer(folder: Path) -> EncoderScorer:
    return EncoderScorer(folder)


@pytest.mark.parametrize("one", GOLDEN, ids=lambda one: one["text"][:20] or "empty")
def test_tokens_are_those_of_the_reference(folder: Path, one: dict) -> None:
    numbers = read_model_files(folder).tokens.encode(one["text"] * one["repeated"], 512)
    assert len(numbers) == one["count"] and numbers[: len(one["tokens"])] == one["tokens"]


def test_logits_are_those_of_the_reference(scorer: EncoderScorer) -> None:
    np.testing.assert_allclose(scorer.logits(TEXTS), [one["logits"] for one in GOLDEN], rtol=0.0, atol=1e-5)


def test_padding_and_order_have_no_influence(scorer: EncoderScorer) -> None:
    together = scorer.logits(TEXTS)
    alone = np.concatenate([scorer.logits([text]) for text in TEXTS])
    np.testing.assert_allclose(together, alone, rtol=0.0, atol=1e-5)
    order = np.random.default_rng(0).permutation(len(TEXTS))
    np.testing.assert_allclose(scorer.logits([TEXTS[n] for n in order]), together[order], rtol=0.0, atol=1e-5)


def test_what_padding_contains_has_no_influence(folder: Path, scorer: EncoderScorer) -> None:
    numbers = np.array([[2, 5, 8, 3, 0, 0], [2, 5, 8, 3, 40, 99]], dtype=np.int32)
    logits = scorer._batches._network(numbers, np.array([4, 4], dtype=np.int32))
    np.testing.assert_allclose(logits[0], logits[1], rtol=0.0, atol=1e-5)
    attended = scorer._batches._network(numbers, np.array([6, 6], dtype=np.int32))
    assert np.abs(attended[0] - attended[1]).max() > 0.1


def test_a_long_text_is_its_first_512_tokens(scorer: EncoderScorer) -> None:
    short, long = scorer.logits(["sales " * 510, "sales " * 510 + "fell " * 900])
    np.testing.assert_allclose(short, long, rtol=0.0, atol=1e-6)


def test_batches_have_a_limit_of_tokens(folder: Path) -> None:
    shapes: list[tuple[int, ...]] = []

    def network(numbers: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        shapes.append(numbers.shape)
        return np.zeros((len(numbers), 3), np.float32)

    batches = TokenBatches(read_model_files(folder), network, batch_size=64)
    batches.scores(["sales " * 600] * 70 + ["sales"] * 70)
    assert sum(rows for rows, _ in shapes) == 140
    assert all(rows <= 64 and rows * tokens <= 16_384 for rows, tokens in shapes)
    assert batches.scores([]).tone.shape == (0,)


def test_tone_and_label_follow_the_names_of_the_classes(tmp_path: Path, scorer: EncoderScorer) -> None:
    other = EncoderScorer(write_tiny_bert(tmp_path, labels={"0": "Neutral", "1": "POSITIVE", "2": "negative"}))
    first, second = scorer.score(TEXTS), other.score(TEXTS)
    logits = np.asarray([one["logits"] for one in GOLDEN])
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(first.tone, p[:, 0] - p[:, 1], atol=1e-5)
    np.testing.assert_allclose(second.tone, p[:, 1] - p[:, 2], atol=1e-5)
    assert first.label.tolist() == np.array([1, -1, 0])[logits.argmax(1)].tolist()
    assert second.label.tolist() == np.array([0, 1, -1])[logits.argmax(1)].tolist()
    assert first.tone.min() < 0.0 < first.tone.max() and other.name != scorer.name


def test_a_model_without_a_neutral_class_has_two_labels(tmp_path: Path) -> None:
    arrays = tensors()
    arrays |= {name: arrays[name][:2] for name in ("classifier.weight", "classifier.bias")}
    scores = EncoderScorer(write_tiny_bert(tmp_path, {"0": "negative", "1": "positive"}, arrays)).score(TEXTS)
    assert set(scores.label.tolist()) == {-1, 1}


def test_the_scorer_is_one_and_reads_buckets(folder: Path, scorer: EncoderScorer, s3: str) -> None:
    for path in folder.iterdir():
        Store(s3).write(f"finbert/{path.name}", path.read_bytes())
    bucket: Scorer = EncoderScorer(f"{s3}/finbert")
    assert bucket.name == scorer.name
    np.testing.assert_array_equal(bucket.score(TEXTS[:2]).tone, scorer.score(TEXTS[:2]).tone)


def test_old_names_of_layer_norms_are_read(tmp_path: Path, scorer: EncoderScorer) -> None:
    arrays = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): array
        for name, array in tensors().items()
    }
    old = EncoderScorer(write_tiny_bert(tmp_path, LABELS, arrays))
    np.testing.assert_array_equal(old.logits(TEXTS[:3]), scorer.logits(TEXTS[:3]))


def test_the_count_of_operations(folder: Path) -> None:
    spec = read_model_files(folder).spec
    by_hand = 2 * 7 * (32 * 32 * 4 + 2 * 32 * 64) + 2 * 2 * 7 * 7 * 32  # first layer, 7 tokens
    by_hand += 2 * 7 * 2 * 32 * 32 + 2 * (2 * 32 * 32 + 2 * 32 * 64) + 2 * 2 * 7 * 32  # last layer, one query
    assert matrix_product_flops(spec, texts=3, tokens=7) == 3 * by_hand
