"""FinBERT and other BERT classifiers of sentiment as a scorer of texts."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike

import numpy as np
from numpy.typing import NDArray

from features.alternative.text.scorer import Scores
from training.models.encoder.bert import build_network
from training.models.encoder.folder import read_model_files
from training.models.encoder.token_batches import TokenBatches
from training.models.encoder.weights import parse_weights


class EncoderScorer:
    """Tone and label by a fine-tuned encoder; a text's end behind 512 tokens is not read.

    The tone is the probability of the positive class less that of the negative one, the label the most probable class.
    Scores are equal in any batch and order up to rounding (about 1e-6).

    A model that was trained on texts of a period knows what came of them: features over such texts are not out of
    sample, whatever their timestamps.

    Parameters
    ----------
    uri
        A folder, or an ``s3://`` or ``gs://`` URI, with ``config.json``, ``vocab.txt`` and ``model.safetensors``.
    batch_size
        Texts in one pass through the network; they are sorted by length first.

    Raises
    ------
    ModelError
        A file is missing, refused, or does not fit the others.
    """

    def __init__(self, uri: str | PathLike[str], batch_size: int = 64) -> None:
        files = read_model_files(uri)
        weights = parse_weights(files.weights, files.spec, files.weights_place)
        self._batches = TokenBatches(files, build_network(files.spec, weights), batch_size)
        self.name = f"encoder@{files.digest[:12]}"

    def score(self, texts: Sequence[str]) -> Scores:
        """Return tone and label of each text; see :class:`~features.alternative.text.scorer.Scorer`."""
        return self._batches.scores(texts)

    def logits(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the network's outputs ``(N, classes)`` in the order of ``config.json``."""
        return self._batches.logits(texts)
