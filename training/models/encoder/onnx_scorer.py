"""The same classifiers as an ONNX file, run by onnxruntime: an extra, for machines where it is faster."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.errors import ModelError, last_line
from features.alternative.text.scorer import Scores
from training.models.encoder.folder import ONNX, read_model_files
from training.models.encoder.token_batches import Network, TokenBatches

_INPUTS = {"input_ids", "attention_mask", "token_type_ids"}


class OnnxScorer:
    """Tone and label by an exported encoder; see :class:`~training.models.encoder.scorer.EncoderScorer`.

    Parameters
    ----------
    uri
        A folder or URI with ``config.json``, ``vocab.txt`` and ``model.onnx``, whose inputs are ``input_ids``,
        ``attention_mask`` and, if it has them, ``token_type_ids`` (int64), and whose first output is the logits.
    batch_size
        Texts in one pass.
    threads
        Threads of one operation; 0 lets onnxruntime decide.

    Raises
    ------
    ModelError
        onnxruntime is not installed, or the file is none of such a model.
    """

    def __init__(self, uri: str | PathLike[str], batch_size: int = 64, threads: int = 0) -> None:
        files = read_model_files(uri, ONNX)
        network = _network(files.weights, files.weights_place, threads)
        self._batches = TokenBatches(files, network, batch_size)
        self.name = f"onnx@{files.digest[:12]}"

    def score(self, texts: Sequence[str]) -> Scores:
        """Return tone and label of each text; see :class:`~features.alternative.text.scorer.Scorer`."""
        return self._batches.scores(texts)

    def logits(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the network's outputs ``(N, classes)`` in the order of ``config.json``."""
        return self._batches.logits(texts)


def _network(data: bytes, place: str, threads: int) -> Network:
    try:
        import onnxruntime
    except ImportError as error:
        raise ModelError("onnxruntime is not installed. Run: uv sync --extra onnx.") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own errors have no common base
        raise ModelError(f"{place} cannot be loaded ({last_line(error)}). Export the model again.") from error
    names = {one.name for one in session.get_inputs()}
    if not {"input_ids", "attention_mask"} <= names <= _INPUTS:
        raise ModelError(f"{place} has inputs {sorted(names)}; expected {sorted(_INPUTS)}. Export the model again.")

    def run(numbers: NDArray[np.int32], lengths: NDArray[np.int32]) -> NDArray[np.float32]:
        given: dict[str, Any] = {
            "input_ids": numbers.astype(np.int64),
            "attention_mask": (np.arange(numbers.shape[1]) < lengths[:, None]).astype(np.int64),
            "token_type_ids": np.zeros(numbers.shape, np.int64),
        }
        return np.asarray(session.run(None, {name: given[name] for name in names})[0], dtype=np.float32)

    return run
