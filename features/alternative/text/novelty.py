"""Whether a text says something that no text of the days before did."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from features.alternative.text.clean import clean_text
from features.alternative.text.tokens import tokens

MEMORY_DAYS = 5
SIMILAR = 0.6  # of the words of two texts together, those that both have (Jaccard)
_MOST_WORDS = 200  # of a text
_MOST_TEXTS = 5_000  # that are remembered
_DAY_NS = 86_400_000_000_000


def novel_texts(texts: Sequence[str], known_from: npt.NDArray[np.datetime64]) -> npt.NDArray[np.bool_]:
    """Return which texts are unlike every text that became known in the five days before (N,).

    Texts are alike if at least 0.6 of the words of both together are in both, so an agency's report that others repeat
    counts as new once. Texts without a word are not novel. A text's novelty never depends on later ones.

    Parameters
    ----------
    texts, known_from
        Texts about one symbol and their instants (datetime64[ns], ascending).
    """
    instants = known_from.astype("datetime64[ns]").astype(np.int64)
    with_word: defaultdict[str, set[int]] = defaultdict(set)
    words: dict[int, frozenset[str]] = {}
    remembered: deque[int] = deque()
    novel = np.zeros(len(texts), dtype=bool)
    for number, text in enumerate(texts):
        while remembered and (
            instants[number] - instants[remembered[0]] > MEMORY_DAYS * _DAY_NS or len(remembered) == _MOST_TEXTS
        ):
            old = remembered.popleft()
            for word in words.pop(old):
                with_word[word].discard(old)
        own = _words(text)
        if not own:
            continue
        shared = Counter(other for word in own for other in with_word[word])
        novel[number] = not any(
            count / (len(own) + len(words[other]) - count) >= SIMILAR for other, count in shared.items()
        )
        words[number] = own
        remembered.append(number)
        for word in own:
            with_word[word].add(number)
    return novel


def _words(text: str) -> frozenset[str]:
    found = [token.text for token in tokens(clean_text(text)) if token.text.isalnum() or len(token.text) > 1]
    return frozenset(found[:_MOST_WORDS])
