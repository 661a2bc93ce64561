"""Lists of words and phrases with their classes, read from a TOML file; ``*`` matches any ending."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from configs.errors import DataError

WEIGHTS = {"strong": 1.0, "weak": 0.5}
Found = tuple[str, float]
"""A class and the weight of an entry in it."""


class WordList:
    """Entries by class; one word may have several classes.

    Parameters
    ----------
    classes
        By class and weight (``strong``, ``weak``) the entries, separated by white space.

    Raises
    ------
    DataError
        A weight has another name, or an entry is repeated within its class.
    """

    def __init__(self, classes: Mapping[str, Mapping[str, str]], place: str) -> None:
        self._words: dict[str, list[Found]] = {}
        self._stems: dict[str, list[Found]] = {}
        self._phrases: dict[str, dict[tuple[str, ...], list[Found]]] = {}
        for name, entries in classes.items():
            seen: set[str] = set()
            for weight, text in entries.items():
                if weight not in WEIGHTS:
                    raise DataError(f"{place}: [{name}] has {weight!r}; expected {' or '.join(WEIGHTS)}.")
                for entry in text.split():
                    if entry in seen:
                        raise DataError(f"{place}: {entry!r} is repeated in [{name}]; expected each entry once.")
                    seen.add(entry)
                    self._add(entry, (name, WEIGHTS[weight]))
        self.longest = max((len(words) for found in self._phrases.values() for words in found), default=1)
        self._of_word = lru_cache(maxsize=50_000)(self._looked_up)

    def _add(self, entry: str, found: Found) -> None:
        words = tuple(entry.split("_"))
        if len(words) > 1:
            self._phrases.setdefault(words[0], {}).setdefault(words, []).append(found)
        elif entry.endswith("*"):
            self._stems.setdefault(entry[:-1], []).append(found)
        else:
            self._words.setdefault(entry, []).append(found)

    def match(self, words: Sequence[str], start: int) -> tuple[int, tuple[Found, ...]]:
        """Return how many words the longest entry at ``start`` has, and its classes; (1, ()) if there is none."""
        best: tuple[int, tuple[Found, ...]] = (1, ())
        for phrase, found in self._phrases.get(words[start], {}).items():
            if len(phrase) > best[0] and _fits(phrase, words[start : start + len(phrase)]):
                best = len(phrase), tuple(found)
        return best if best[0] > 1 else (1, self._of_word(words[start]))

    def _looked_up(self, word: str) -> tuple[Found, ...]:
        found = list(self._words.get(word, ()))
        for end in range(3, len(word) + 1):
            found += self._stems.get(word[:end], ())
        return tuple(found)


def parse_word_list(data: bytes, place: str) -> WordList:
    """Return the list of a TOML file's bytes; ``DataError`` if it is none."""
    try:
        tables: dict[str, Any] = tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{place} is not TOML in UTF-8 ({error}). Restore it from the package.") from error
    return WordList(tables, place)


def _fits(phrase: tuple[str, ...], words: Sequence[str]) -> bool:
    return len(words) == len(phrase) and all(
        word.startswith(want[:-1]) if want.endswith("*") else word == want
        for want, word in zip(phrase, words, strict=True)
    )
