"""The tiny BERT as an ONNX file gives the encoder's logits; other files are one clear error.

``tiny_bert.onnx`` was exported once from ``tiny_bert.py``'s tensors with 64 positions by torch 2.13.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_bert import tensors, write_tiny_bert

from configs.errors import ModelError
from training.models.encoder.onnx_scorer import OnnxScorer
from training.models.encoder.scorer import EncoderScorer

pytest.importorskip("onnxruntime")
TEXTS = ["The company's net profit rose 5% to $10 million.", "", "fell " * 90, "Café naïve", "sales rose"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    arrays = tensors()
    arrays["bert.embeddings.position_embeddings.weight"] = arrays["bert.embeddings.position_embeddings.weight"][:64]
    folder = write_tiny_bert(tmp_path_factory.mktemp("onnx"), arrays=arrays, max_position_embeddings=64)
    shutil.copy(Path(__file__).parent / "tiny_bert.onnx", folder / "model.onnx")
    return folder


def test_logits_and_scores_equal_the_encoders(folder: Path) -> None:
    onnx, encoder = OnnxScorer(folder, batch_size=2, threads=1), EncoderScorer(folder)
    np.testing.assert_allclose(onnx.logits(TEXTS), encoder.logits(TEXTS), rtol=0.0, atol=1e-5)
    assert onnx.score(TEXTS).label.tolist() == encoder.score(TEXTS).label.tolist()
    assert onnx.name.startswith("onnx@") and onnx.name.removeprefix("onnx") != encoder.name.removeprefix("encoder")


def test_its_process_does_not_import_tensorflow(folder: Path) -> None:
    code = (
        "import sys; from training.models.encoder.open_scorer import open_scorer; "
        f"scores = open_scorer({f'onnx:{folder}'!r}, threads=1).score(['sales rose']); "
        "print(len(scores.tone), [name for name in ('tensorflow', 'keras') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "1 []\n"


def test_files_that_are_no_such_model_are_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    (tmp_path / "copy" / "model.onnx").write_bytes(b"not a model")
    with pytest.raises(ModelError, match=r"model\.onnx cannot be loaded"):
        OnnxScorer(tmp_path / "copy")
    (tmp_path / "copy" / "model.onnx").unlink()
    with pytest.raises(ModelError, match=r"has no model\.onnx"):
        OnnxScorer(tmp_path / "copy")
