"""Which known symbol a misspelt one was meant to be."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from difflib import SequenceMatcher
from functools import cached_property

_MIN_LENGTH = 3  # any two shorter symbols are one letter apart
_MAX_NEAR = 12  # of more symbols that are one letter apart, none is the likeliest


class Spelling:
    """Finds the nearest of many symbols in constant time, because a request may name thousands of unknown ones.

    Case and punctuation do not count (``brk.b`` is ``BRK-B``). Otherwise one letter may be missing, added, replaced or
    out of place, if few symbols are that near.
    """

    def __init__(self, symbols: Collection[str]) -> None:
        self._symbols = symbols

    def nearest(self, symbol: str) -> str | None:
        """Return the symbol that this one was meant to be, or None."""
        key = _key(symbol)
        if not key or symbol in self._symbols:
            return None
        exact, within_one = self._index
        if key in exact:
            return exact[key][0]
        if len(key) < _MIN_LENGTH:
            return None
        found = {other for part in (key, *_shortened(key)) for other in within_one.get(part, ())}
        if len(found) > _MAX_NEAR:
            return None
        return max(sorted(found), key=lambda other: SequenceMatcher(None, key, _key(other)).ratio(), default=None)

    @cached_property
    def _index(self) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
        """Symbols by their key, and by every text that is their key or lacks one letter of it."""
        exact: dict[str, list[str]] = {}
        within_one: dict[str, list[str]] = {}
        for symbol in sorted(self._symbols):
            key = _key(symbol)
            exact.setdefault(key, []).append(symbol)
            if len(key) >= _MIN_LENGTH:
                for part in {key, *_shortened(key)}:
                    within_one.setdefault(part, []).append(symbol)
        return exact, within_one


def _key(symbol: str) -> str:
    return "".join(letter for letter in symbol.casefold() if letter.isalnum())


def _shortened(key: str) -> Iterator[str]:
    return (key[:i] + key[i + 1 :] for i in range(len(key)))
