"""VADER-style tone from the user's own copy of a rated word list (``vader_lexicon.txt``); none is shipped.

References
----------
C. J. Hutto and E. Gilbert, "VADER: A Parsimonious Rule-Based Model for Sentiment Analysis of Social Media Text",
ICWSM 2014: the constants of the rules, and the classes at ±0.05.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence
from os import PathLike

from configs.errors import DataError, shown
from features.alternative.text.clean import clean_text
from features.alternative.text.scorer import Scores, scored
from features.alternative.text.word_lists import read_word_file

_RULES = 1  # of this module
_NEUTRAL = 0.05
_BOOST, _CAPITALS, _NEGATION, _EXCLAMATION, _NORMALISER = 0.293, 0.733, -0.74, 0.292, 15.0
_FADE = (1.0, 0.95, 0.9)  # of a booster 1, 2 and 3 words before
_MORE = frozenset("very extremely really so highly hugely greatly especially particularly completely most".split())
_LESS = frozenset("slightly somewhat barely hardly marginally partly scarcely almost less".split())
_NEGATORS = frozenset("not no never none neither nor nothing nowhere cannot without rarely seldom despite".split())
_MOST_RATING = 4.0
_PUNCTUATION = """!"#$%&'()*+,-./:;<=>?@[]^_`{|}~“”‘’…"""


class VaderScorer:
    """Tone by rated words with rules for negation, boosters, capitals, exclamation marks and "but".

    Parameters
    ----------
    path
        A file with a line per token: ``token<TAB>mean rating from −4 to 4``; further columns are ignored.

    Raises
    ------
    DataError
        The file cannot be read, or a line has another form.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        data = read_word_file(path, "a list of rated words such as vader_lexicon.txt")
        self._ratings = _parsed(data.decode(errors="replace"), str(path))
        self.name = f"vader@{hashlib.sha256(data + f'rules {_RULES}'.encode()).hexdigest()[:12]}"

    def score(self, texts: Sequence[str]) -> Scores:
        """Return tone and label of each text; see :class:`~features.alternative.text.scorer.Scorer`."""
        return scored([self._tone(clean_text(text)) for text in texts], _NEUTRAL)

    def _tone(self, text: str) -> float:
        words = [word for token in text.split() if (word := self._word(token))]
        mixed = any(word.isupper() for word in words) and not all(word.isupper() for word in words)
        lower = [word.lower() for word in words]
        ratings = [self._rating(words, lower, place, mixed) for place in range(len(words))]
        if "but" in lower:
            turn = lower.index("but")
            ratings = [rating * (0.5 if place < turn else 1.5) for place, rating in enumerate(ratings)]
        total = sum(ratings)
        total += math.copysign(min(text.count("!"), 4) * _EXCLAMATION, total) if total else 0.0
        return total / math.sqrt(total * total + _NORMALISER)

    def _word(self, token: str) -> str:
        """Return a token without the punctuation around it, unless it is in the list with it (``:)``)."""
        return token if token.lower() in self._ratings else token.strip(_PUNCTUATION)

    def _rating(self, words: Sequence[str], lower: Sequence[str], place: int, mixed: bool) -> float:
        rating = self._ratings.get(lower[place], 0.0)
        if not rating or lower[place] in _MORE or lower[place] in _LESS:
            return 0.0
        sign = math.copysign(1.0, rating)
        if mixed and words[place].isupper():
            rating += sign * _CAPITALS
        for back, fade in enumerate(_FADE, start=1):
            before = lower[place - back] if place >= back else ""
            if before in self._ratings and before not in _NEGATORS:
                continue  # a rated word counts itself
            rating += sign * _BOOST * fade * ((before in _MORE) - (before in _LESS))
            rating *= _NEGATION if before in _NEGATORS or before.endswith("n't") else 1.0
        return rating


def _parsed(text: str, place: str) -> dict[str, float]:
    ratings: dict[str, float] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        cells = re.split(r"\t+", line)
        try:
            rating = float(cells[1])
        except (IndexError, ValueError):
            rating = math.nan
        if not abs(rating) <= _MOST_RATING:
            raise DataError(
                f"{place}, line {number}: {shown(line)}; expected a token, a tab and a rating from −4 to 4. "
                "Correct the line, or give the file vader_lexicon.txt."
            )
        ratings[cells[0].strip().lower()] = rating
    if not ratings:
        raise DataError(f"{place} has no words; expected lines of a token, a tab and a rating from −4 to 4.")
    return ratings
