"""Loughran–McDonald tone from the user's own copy of the master dictionary (CSV); none is shipped.

The dictionary is free for research and needs a licence for commercial use.

References
----------
T. Loughran and B. McDonald, "When Is a Liability Not a Liability? Textual Analysis, Dictionaries, and 10-Ks",
Journal of Finance 66 (2011): positive words count as negative within three words of a negator; negative ones are kept.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Sequence
from os import PathLike

from configs.errors import DataError, shown
from features.alternative.text.clean import clean_text
from features.alternative.text.scorer import Scores, scored
from features.alternative.text.tokens import tokens
from features.alternative.text.word_lists import read_word_file

_RULES = 1  # of this module
_NEGATORS = frozenset("no not none neither never nobody".split())
_REACH = 3
_COLUMNS = ("word", "positive", "negative")


class LoughranMcDonaldScorer:
    """Tone (positive − negative) / (positive + negative) by counts of words; 0 without any.

    Parameters
    ----------
    path
        The master dictionary: a CSV with the columns ``Word``, ``Positive`` and ``Negative``. A word belongs to a class
        if its number there (the year in which it was added) is above 0; a negative number says that it was removed.

    Raises
    ------
    DataError
        The file cannot be read, lacks a column, or has no positive or negative word.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        data = read_word_file(path, "the Loughran-McDonald master dictionary as CSV")
        self._positive, self._negative = _parsed(data.decode("utf-8-sig", errors="replace"), str(path))
        self.name = f"loughran_mcdonald@{hashlib.sha256(data + f'rules {_RULES}'.encode()).hexdigest()[:12]}"

    def score(self, texts: Sequence[str]) -> Scores:
        """Return tone and label of each text; see :class:`~features.alternative.text.scorer.Scorer`."""
        return scored([self._tone(clean_text(text)) for text in texts], 1e-9)

    def _tone(self, text: str) -> float:
        words = [token.text for token in tokens(text) if token.value is None]
        positive = negative = 0
        for place, word in enumerate(words):
            if word in self._negative:
                negative += 1
            elif word in self._positive:
                negated = not _NEGATORS.isdisjoint(words[max(place - _REACH, 0) : place])
                positive += not negated
                negative += negated
        return (positive - negative) / (positive + negative) if positive or negative else 0.0


def _parsed(text: str, place: str) -> tuple[frozenset[str], frozenset[str]]:
    rows = csv.reader(io.StringIO(text))
    header = [cell.strip().lower() for cell in next(rows, [])]
    missing = [column for column in _COLUMNS if column not in header]
    if missing:
        raise DataError(
            f"{place} has no column {' or '.join(map(repr, missing))}; expected the Loughran-McDonald dictionary "
            "with Word, Positive and Negative. Save it as CSV with its header."
        )
    word, *classes = (header.index(column) for column in _COLUMNS)
    found: tuple[set[str], set[str]] = set(), set()
    for number, row in enumerate(rows, start=2):
        for words, column in zip(found, classes, strict=True):
            try:
                if float(row[column] or 0) > 0:
                    words.add(row[word].strip().lower())
            except (IndexError, ValueError):
                raise DataError(
                    f"{place}, line {number}: {shown(row)}; expected a word and a number for each class. "
                    "Save the dictionary again as CSV."
                ) from None
    if not all(found):
        raise DataError(f"{place} has no positive or no negative words; expected years above 0 in both columns.")
    return frozenset(found[0]), frozenset(found[1])
