"""Texts through a network, whatever runs it, in batches of tokens; without importing any."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from features.alternative.text.clean import clean_text
from features.alternative.text.scorer import Scores
from training.models.encoder.folder import ModelFiles

_MOST_TOKENS = 16_384  # of a batch with padding: 400 MB of attention weights in a BERT of 12 heads

Network = Callable[[NDArray[np.int32], NDArray[np.int32]], NDArray[np.float32]]
"""From token numbers ``(N, T)`` and lengths ``(N,)`` to logits ``(N, classes)``; T may vary from call to call."""


class TokenBatches:
    """Passes texts through a network in batches of similar length, and turns its outputs into scores."""

    def __init__(self, files: ModelFiles, network: Network, batch_size: int) -> None:
        self._spec, self._tokens, self._network = files.spec, files.tokens, network
        self._batch_size = batch_size

    def logits(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the outputs ``(N, classes)`` in the order of the texts."""
        encoded = [self._tokens.encode(clean_text(text), self._spec.max_tokens) for text in texts]
        order = sorted(range(len(texts)), key=lambda place: len(encoded[place]))
        out = np.zeros((len(texts), len(self._spec.polarities)), dtype=np.float32)
        for places in self._grouped(order, [len(numbers) for numbers in encoded]):
            lengths = np.array([len(encoded[place]) for place in places], dtype=np.int32)
            numbers = np.full((len(places), int(lengths.max())), self._tokens.padding, dtype=np.int32)
            for row, place in enumerate(places):
                numbers[row, : lengths[row]] = encoded[place]
            out[places] = self._network(numbers, lengths)
        return out

    def _grouped(self, order: Sequence[int], lengths: Sequence[int]) -> Iterator[list[int]]:
        """Yield the places of each batch, from short to long texts."""
        group: list[int] = []
        for place in order:
            if group and (len(group) == self._batch_size or (len(group) + 1) * lengths[place] > _MOST_TOKENS):
                yield group
                group = []
            group.append(place)
        if group:
            yield group

    def scores(self, texts: Sequence[str]) -> Scores:
        """Return the scores of the texts."""
        logits = self.logits(texts).astype(np.float64)
        shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities = shifted / shifted.sum(axis=1, keepdims=True)
        polarities = np.asarray(self._spec.polarities)
        tone = np.clip(probabilities @ polarities, -1.0, 1.0)
        return Scores(tone, polarities[logits.argmax(axis=1)].astype(np.int8))
