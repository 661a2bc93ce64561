"""What every scorer of texts offers, whatever it is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

NEGATIVE, NEUTRAL, POSITIVE = -1, 0, 1


class Scores(NamedTuple):
    """The scores of N texts.

    Attributes
    ----------
    tone
        ``(N,)`` float64 in [−1, 1]: −1 is the worst news for what the text is about, 1 the best.
    label
        ``(N,)`` int8: ``NEGATIVE``, ``NEUTRAL`` or ``POSITIVE``. Each scorer decides where neutral ends.
    """

    tone: NDArray[np.float64]
    label: NDArray[np.int8]


class Scorer(Protocol):
    """A function from texts to scores that does not change.

    A score depends on its text alone: neither on the other texts of a batch nor on their order.
    """

    @property
    def name(self) -> str:
        """The method and a digest of its words or weights, such as ``lexicon@1f0c2ab97d44``.

        Two scorers of one name give equal scores. Stored scores are kept under this name.
        """

    def score(self, texts: Sequence[str]) -> Scores:
        """Return the scores of raw texts, which are cleaned by :func:`~features.alternative.text.clean.clean_text`."""


def scored(tones: Sequence[float] | NDArray[np.float64], neutral: float) -> Scores:
    """Return scores whose label is neutral where the tone is closer to 0 than ``neutral``."""
    tone = np.asarray(tones, dtype=np.float64)
    return Scores(tone, (np.sign(tone) * (np.abs(tone) >= neutral)).astype(np.int8))
