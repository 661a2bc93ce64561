"""How well and how fast the scorers of texts label financial sentences.

``python tests/benchmarks/bench_sentiment.py --phrasebank FILE --headlines FILE [--vader FILE]
[--loughran-mcdonald FILE] [--encoder FOLDER] [--network-layers 12]``

The files are Parquet with columns ``text`` or ``article_headline``, and ``label`` (positive, neutral, negative,
or mildly and strongly bullish and bearish). Word lists and models are the user's own; without them their scorers are
left out. The last line is JSON, by scorer (``majority`` labels all texts with the most frequent label):
``{"lexicon": {"phrasebank": {"accuracy", "macro_f1"}, "headlines": {…}, "texts_per_s"}, …}``, and ``encoder_network``:
a BERT-base of random weights (or of fewer layers) on 64 texts of 64 tokens, with its ``texts_per_s``, its
``gflops_per_cpu_s`` (of its matrix products, by CPU time, which a busy machine distorts less than wall time),
``matrix_product_gflops_per_cpu_s`` of one large product on this machine, their quotient ``matrix_product_share``, and
``golden_max_error`` (logits of the seeded tiny BERT against those of transformers).
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.metrics import f1_score

from features.alternative.text.lexicon import LexiconScorer
from features.alternative.text.loughran_mcdonald import LoughranMcDonaldScorer
from features.alternative.text.scorer import Scorer, Scores
from features.alternative.text.vader import VaderScorer

_SIGNS = {"positive": 1, "bullish": 1, "neutral": 0, "negative": -1, "bearish": -1}
_BATCH, _TOKENS, _REPEATS = 64, 64, 3
_GOLDEN = Path(__file__).parents[1] / "training/models/encoder/golden.json"


class Majority:
    """Labels every text with one label."""

    name = "majority"

    def __init__(self, label: int) -> None:
        self._label = label

    def score(self, texts: Sequence[str]) -> Scores:
        return Scores(np.zeros(len(texts)), np.full(len(texts), self._label, dtype=np.int8))


def read_labelled(path: str) -> tuple[list[str], np.ndarray]:
    """Return texts and their labels: −1, 0 or 1."""
    frame = pd.read_parquet(path)
    column = "text" if "text" in frame else "article_headline"
    labels = frame["label"].str.lower().str.split().str[-1].map(_SIGNS)
    assert labels.notna().all(), f"{path}: unknown labels"
    return frame[column].tolist(), labels.to_numpy(dtype=np.int8)


def quality(scorer: Scorer, texts: list[str], labels: np.ndarray) -> tuple[dict[str, float], float]:
    """Return accuracy and macro-F1, and the seconds of scoring."""
    started = time.perf_counter()
    found = scorer.score(texts).label
    seconds = time.perf_counter() - started
    f1 = f1_score(labels, found, average="macro", zero_division=0.0)
    return {"accuracy": round(float((found == labels).mean()), 4), "macro_f1": round(float(f1), 4)}, seconds


def golden_error() -> float:
    """Return the largest difference of the tiny BERT's logits from those of transformers."""
    import sys

    sys.path.insert(0, str(Path(__file__).parents[1]))
    from tiny_bert import write_tiny_bert

    from training.models.encoder.scorer import EncoderScorer

    golden = json.loads(_GOLDEN.read_text(encoding="utf-8"))["texts"]
    with tempfile.TemporaryDirectory() as folder:
        logits = EncoderScorer(write_tiny_bert(Path(folder))).logits([one["text"] * one["repeated"] for one in golden])
    return float(np.abs(logits - [one["logits"] for one in golden]).max())


def network_speed(layers: int) -> dict[str, float]:
    """Return the speed of a network of BERT-base's width, next to that of one large matrix product."""
    from training.models.encoder.bert import build_network, matrix_product_flops
    from training.models.encoder.encoder_config import EncoderSpec
    from training.models.encoder.weights import Affine, Layer, Weights
    from training.models.fleet.backend import compiled, ops

    rng = np.random.default_rng(0)
    spec = EncoderSpec(768, layers, 12, 3072, 1000, 512, 2, "gelu", 1e-12, (1.0, -1.0, 0.0))

    def dense(inputs: int, outputs: int) -> Affine:
        matrix = (0.02 * rng.standard_normal((inputs, outputs), dtype=np.float32)).astype(np.float32)
        return Affine(matrix, np.zeros(outputs, np.float32))

    norm = Affine(np.ones(768, np.float32), np.zeros(768, np.float32))
    one = Layer(dense(768, 2304), dense(768, 768), norm, dense(768, 3072), dense(3072, 768), norm)
    words, places = dense(1000, 768).matrix, dense(512, 768).matrix
    weights = Weights(words, places, norm, (one,) * layers, dense(768, 768), dense(768, 3))
    network = build_network(spec, weights)
    numbers = rng.integers(0, 1000, (_BATCH, _TOKENS)).astype(np.int32)
    lengths = np.full(_BATCH, _TOKENS, np.int32)
    left = rng.standard_normal((_BATCH * _TOKENS, 768), dtype=np.float32)
    right = ops.convert_to_tensor(one.inner.matrix)
    product = compiled(lambda a: ops.matmul(a, right), [((None, 768), "float32")])
    of_network, of_product = _fastest(lambda: network(numbers, lengths), lambda: np.asarray(product(left)))
    flops = matrix_product_flops(spec, _BATCH, _TOKENS), 2.0 * _BATCH * _TOKENS * 768 * 3072
    achieved, limit = (flop / times.cpu_s for flop, times in zip(flops, (of_network, of_product), strict=True))
    return {
        "layers": layers,
        "texts_per_s": round(_BATCH / of_network.wall_s, 1),
        "gflops_per_cpu_s": round(achieved / 1e9, 1),
        "matrix_product_gflops_per_cpu_s": round(limit / 1e9, 1),
        "matrix_product_share": round(achieved / limit, 3),
    }


class Times(NamedTuple):
    """The shortest wall time and the shortest CPU time of a call."""

    wall_s: float
    cpu_s: float


def _fastest(*calls: Callable[[], Any]) -> list[Times]:
    """Return the shortest times of each call; they take turns, so that a busy machine slows all alike."""
    found: list[list[Times]] = [[] for _ in calls]
    for repeat in range(_REPEATS + 1):
        for call, times in zip(calls, found, strict=True):
            for _ in range(5 if call is calls[-1] else 1):
                wall, cpu = time.perf_counter(), time.process_time()
                call()
                if repeat:
                    times.append(Times(time.perf_counter() - wall, time.process_time() - cpu))
    return [Times(min(one.wall_s for one in times), min(one.cpu_s for one in times)) for times in found]


def main() -> None:
    """Score both corpora with every scorer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--phrasebank", required=True)
    parser.add_argument("--headlines", required=True)
    for name in ("vader", "loughran-mcdonald", "encoder"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--network-layers", type=int, default=12, help="0 leaves the network's speed out")
    options = parser.parse_args()
    corpora = {"phrasebank": read_labelled(options.phrasebank), "headlines": read_labelled(options.headlines)}
    scorers: dict[str, Scorer] = {"lexicon": LexiconScorer()}
    if options.vader:
        scorers["vader"] = VaderScorer(options.vader)
    if options.loughran_mcdonald:
        scorers["loughran_mcdonald"] = LoughranMcDonaldScorer(options.loughran_mcdonald)
    if options.encoder:
        from training.models.encoder.scorer import EncoderScorer

        scorers["encoder"] = EncoderScorer(options.encoder)
    out: dict[str, dict[str, Any]] = {"majority": {}}
    for corpus, (texts, labels) in corpora.items():
        values, counts = np.unique(labels, return_counts=True)
        out["majority"][corpus], _ = quality(Majority(int(values[counts.argmax()])), texts, labels)
    for name, scorer in scorers.items():
        scorer.score(corpora["phrasebank"][0][:10])
        out[name], seconds = {}, 0.0
        for corpus, (texts, labels) in corpora.items():
            out[name][corpus], more = quality(scorer, texts, labels)
            seconds += more
        out[name]["texts_per_s"] = round(sum(len(texts) for texts, _ in corpora.values()) / seconds, 1)
        print(f"{name:18} {out[name]}", flush=True)
    if options.network_layers:
        out["encoder_network"] = {**network_speed(options.network_layers), "golden_max_error": golden_error()}
    print(json.dumps(out))


if __name__ == "__main__":
    main()
