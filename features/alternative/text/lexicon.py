"""Fleetcast's own lexicon: direction words with what they apply to, negation, hedges and compared numbers.

A direction word has no tone of its own: "profit rose" is good, "costs rose" bad, "loss narrowed" good. Each one is
joined to the closest quantity of its clause, and counts direction × polarity of the quantity. Words with a tone of
their own (``award``, ``bankruptcy``) count directly. Where a clause has no direction word, its number is compared with
the earlier or expected one: "profit was 3.1 mn, compared to 2.4 mn".

The words are in ``lexicon.toml``.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from features.alternative.text.clauses import Clause, Item, clauses_of
from features.alternative.text.clean import clean_text
from features.alternative.text.scorer import Scores, scored
from features.alternative.text.word_list import WordList, parse_word_list

_FILE = "lexicon.toml"
_RULES = 1  # of this module and clauses.py; a change of what they compute needs another number
_REACH = 8  # words between a direction and its quantity
_UNNAMED = 0.75  # weight of a direction whose quantity is not in the list
_NEGATED = -0.5  # "did not rise" is less bad than "fell"
_HEDGED = 0.6
_BACKGROUND, _STRESSED = 0.25, 2.0  # weights of clauses after "although" and after "but"
_SCALE = 4.0  # of the tone: a sum of 2 gives 2/√(2² + 4) = .71
_NEUTRAL_SUM = 0.7  # one weak word alone leaves a text neutral
_NEUTRAL_TONE = _NEUTRAL_SUM / math.sqrt(_NEUTRAL_SUM**2 + _SCALE)


class LexiconScorer:
    """Tone by the embedded lexicon; needs no model, network or accelerator."""

    def __init__(self) -> None:
        self._words, digest = embedded_words()
        self.name = f"lexicon@{digest}"

    def score(self, texts: Sequence[str]) -> Scores:
        """Return tone and label of each text; see :class:`~features.alternative.text.scorer.Scorer`."""
        return scored([squashed(self._sum(clean_text(text))) for text in texts], _NEUTRAL_TONE)

    def _sum(self, text: str) -> float:
        return sum(_clause_sum(clause) for clause in clauses_of(text, self._words))


class PolicyScorer:
    """Stance of central-bank statements by the words of the same file: 1 is hawkish (tighter policy), −1 dovish."""

    def __init__(self) -> None:
        self._words, digest = embedded_words()
        self.name = f"policy@{digest}"

    def score(self, texts: Sequence[str]) -> Scores:
        """Return the stance of each text as its tone; ``POSITIVE`` is hawkish."""
        return scored([squashed(self._sum(clean_text(text))) for text in texts], _NEUTRAL_TONE)

    def _sum(self, text: str) -> float:
        items = (item for clause in clauses_of(text, self._words) for item in clause.items)
        return sum(_modified(item.weights["hawkish"] - item.weights["dovish"], item) for item in items)


@cache
def embedded_words() -> tuple[WordList, str]:
    """Return the lexicon, and 12 hex digits that identify its words and rules."""
    data = files("features.alternative.text").joinpath(_FILE).read_bytes()
    digest = hashlib.sha256(data + f"rules {_RULES}".encode()).hexdigest()[:12]
    return parse_word_list(data, _FILE), digest


def squashed(total: float) -> float:
    """Return a sum of weights as a tone in (−1, 1)."""
    return total / math.sqrt(total * total + _SCALE)


def _clause_sum(clause: Clause) -> float:
    quantities = [item for item in clause.items if _polarity(item) is not None]
    total, directed = 0.0, False
    for item in clause.items:
        direction = item.weights["up"] - item.weights["down"]
        own = item.weights["positive"] - item.weights["negative"]
        if direction:
            closest = min(quantities, key=lambda quantity: _distance(item, quantity), default=None)
            near = closest is not None and _distance(item, closest) <= _REACH
            polarity = _polarity(closest) if near and closest is not None else _UNNAMED
            total += _modified(direction * (polarity or 0.0), item)
            directed |= abs(direction) == 1.0
        elif own:
            total += _modified(own, item)
    if not directed:
        total += _compared(clause, quantities)
    place = _BACKGROUND if clause.background else _STRESSED if clause.stressed else 1.0
    return place * total


def _polarity(item: Item) -> float | None:
    """Return 1, −1 or 0 for a quantity, None for another word."""
    if item.weights["flat"]:
        return 0.0
    return item.weights["good"] - item.weights["bad"] or None


def _distance(item: Item, quantity: Item) -> float:
    """Return the words between; a quantity before its verb is preferred to one as far behind it."""
    ahead = quantity.place - item.place
    return -ahead if ahead < 0 else ahead + 0.5


def _modified(weight: float, item: Item) -> float:
    return weight * (_NEGATED if item.negated else 1.0) * (_HEDGED if item.hedged else 1.0)


def _compared(clause: Clause, quantities: Sequence[Item]) -> float:
    """Return the polarity of the change if the clause compares two numbers of a quantity, else 0."""
    now = [quantity for quantity in quantities if clause.compared and quantity.place < clause.compared.place]
    if clause.compared is None or not now:
        return 0.0
    earlier = [quantity for quantity in quantities if quantity.place > clause.compared.place]
    is_loss = "loss" in now[-1].text
    if earlier and ("loss" in earlier[0].text) != is_loss:
        return -1.0 if is_loss else 1.0
    change = clause.compared.now - clause.compared.earlier
    return (_polarity(now[-1]) or 0.0) * math.copysign(1.0, change) if change else 0.0
