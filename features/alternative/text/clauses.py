"""A text as clauses of matched words, each with its place, its weights by class, and what modifies it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from features.alternative.text.tokens import Token, tokens
from features.alternative.text.word_list import Found, WordList

CLASSES = ("up", "down", "good", "bad", "flat", "positive", "negative", "hawkish", "dovish")
_ENDS = frozenset(".;:!?()")
_MODIFIES = 4  # words that a negator or hedge reaches
_YEARS = range(1900, 2100)
_SIGNED = {True: "up", False: "down"}


@dataclass(frozen=True, slots=True)
class Item:
    """A matched word or phrase: where it is in its clause, and the weight of each class."""

    text: str
    place: int
    weights: dict[str, float]
    negated: bool
    hedged: bool


class Comparison(NamedTuple):
    """Two numbers: the one now and the earlier or expected one, and the place of the word between them."""

    place: int
    now: float
    earlier: float


@dataclass(slots=True)
class Clause:
    """Part of a sentence: its items, its place behind "although" or "but", and the numbers that it compares."""

    items: list[Item] = field(default_factory=list)
    background: bool = False
    stressed: bool = False
    compared: Comparison | None = None


def clauses_of(text: str, words: WordList) -> list[Clause]:
    """Return the clauses of a cleaned text; one without a matched word has no items."""
    out: list[Clause] = []
    part: list[Token] = []
    for token in tokens(text):
        if token.text in _ENDS:
            out += _split(part, words)
            part = []
        else:
            part.append(token)
    return out + _split(part, words)


def _split(part: Sequence[Token], words: WordList) -> list[Clause]:
    """Return the clauses of a sentence, which contrasts and turns separate."""
    if not part:
        return []
    texts = [token.text for token in part]
    clauses = [_Builder()]
    place = 0
    while place < len(part):
        token = part[place]
        count, found = words.match(texts, place)
        names = {name for name, _ in found}
        if token.value is not None and count == 1:
            clauses[-1].number(token, place)
        elif "contrast" in names or "turn" in names:
            clauses.append(_Builder(background="contrast" in names, stressed="turn" in names))
            clauses[-1].word(" ".join(texts[place : place + count]), place, found)
        elif token.text == "," and clauses[-1].clause.background and place + 1 < len(part):
            clauses.append(_Builder())  # "although sales fell, profit rose"
        else:
            clauses[-1].word(" ".join(texts[place : place + count]), place, found)
        place += count
    return [builder.finished() for builder in clauses]


class _Builder:
    """Collects one clause."""

    def __init__(self, *, background: bool = False, stressed: bool = False) -> None:
        self.clause = Clause(background=background, stressed=stressed)
        self._negator = self._hedge = -1_000
        self._numbers: list[tuple[int, float]] = []
        self._comparison: int | None = None

    def number(self, token: Token, place: int) -> None:
        assert token.value is not None
        if token.signed:
            weights = dict.fromkeys(CLASSES, 0.0) | {_SIGNED[token.value > 0.0]: 1.0}
            self.clause.items.append(Item(token.text, place, weights, False, False))
        elif not (token.value in _YEARS and re.fullmatch(r"\d{4}", token.text)):
            self._numbers.append((place, token.value))

    def word(self, text: str, place: int, found: Sequence[Found]) -> None:
        weights = dict.fromkeys(CLASSES, 0.0)
        for name, weight in found:
            if name in weights:
                weights[name] = weight
            elif name == "negator":
                self._negator = place
            elif name == "hedge":
                self._hedge = place
            elif name == "comparison" and self._comparison is None and self._numbers:
                self._comparison = place
        if any(name == "neutral" for name, _ in found) or not any(weights.values()):
            return
        negated, hedged = 0 < place - self._negator <= _MODIFIES, 0 < place - self._hedge <= _MODIFIES
        self.clause.items.append(Item(text, place, weights, negated, hedged))

    def finished(self) -> Clause:
        if self._comparison is not None:
            before = [value for place, value in self._numbers if place < self._comparison]
            after = [value for place, value in self._numbers if place > self._comparison]
            if before and after:
                self.clause.compared = Comparison(self._comparison, before[-1], after[0])
        return self.clause
