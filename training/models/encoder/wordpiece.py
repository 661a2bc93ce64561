"""BERT's tokens: words split at spaces, punctuation and CJK characters, then into the longest known pieces.

References
----------
J. Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers", 2019, and its reference tokenizer.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache

from configs.errors import ModelError
from features.alternative.text.normal_form import normalized

_LONGEST_WORD = 100  # characters; longer ones are unknown
_PAD, _UNKNOWN, _START, _END = "[PAD]", "[UNK]", "[CLS]", "[SEP]"
_CJK = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)


class WordPiece:
    """Splits texts into numbers of a vocabulary.

    Parameters
    ----------
    data
        ``vocab.txt``: a piece a line in UTF-8; the first has number 0, and of a repeated one the last place counts.
        Pieces inside a word start with ``##``.
    place
        The file's name, for errors.
    lower_case
        Whether words are in lower case and without accents, as in "uncased" models.

    Raises
    ------
    ModelError
        It is not UTF-8, or a special piece such as ``[CLS]`` is missing.
    """

    def __init__(self, data: bytes, place: str, *, lower_case: bool = True) -> None:
        try:
            pieces = data.decode().replace("\r\n", "\n").removesuffix("\n").split("\n")
        except UnicodeDecodeError as error:
            raise ModelError(f"{place} is not UTF-8 ({error.reason}); expected a piece a line. Restore it.") from error
        self._number = {piece: number for number, piece in enumerate(pieces)}
        missing = [piece for piece in (_PAD, _UNKNOWN, _START, _END) if piece not in self._number]
        if missing:
            raise ModelError(
                f"{place} lacks {', '.join(missing)}; expected the vocabulary of a BERT model. Restore it."
            )
        self.size = len(pieces)
        self.padding = self._number[_PAD]
        self._lower_case = lower_case
        self._pieces = lru_cache(maxsize=100_000)(self._split)

    def encode(self, text: str, most: int) -> list[int]:
        """Return ``[CLS]``, the pieces of a text and ``[SEP]``: at most ``most`` numbers, the end is cut off.

        The names of special pieces in the text itself have no special meaning.
        """
        numbers = [self._number[_START]]
        for word in _words(text, lower_case=self._lower_case):
            numbers += self._pieces(word)
            if len(numbers) >= most:
                break
        return [*numbers[: most - 1], self._number[_END]]

    def _split(self, word: str) -> Sequence[int]:
        """Return the longest pieces from left to right, or the unknown piece if the rest has none."""
        unknown = (self._number[_UNKNOWN],)
        if len(word) > _LONGEST_WORD:
            return unknown
        numbers: list[int] = []
        start = 0
        while start < len(word):
            for end in range(len(word), start, -1):
                piece = word[start:end] if start == 0 else f"##{word[start:end]}"
                if (number := self._number.get(piece)) is not None:
                    break
            else:
                return unknown
            numbers.append(number)
            start = end
        return tuple(numbers)


def _words(text: str, *, lower_case: bool) -> Iterator[str]:
    spaced = normalized("NFC", "".join(_spaced(character) for character in text))
    for word in spaced.split():
        if lower_case:
            plain = normalized("NFD", word.lower())
            word = "".join(c for c in plain if unicodedata.category(c) != "Mn")
        start = 0
        for place, character in enumerate(word):
            if _is_punctuation(character):
                if start < place:
                    yield word[start:place]
                yield character
                start = place + 1
        if start < len(word):
            yield word[start:]


@lru_cache(maxsize=100_000)
def _spaced(character: str) -> str:
    code = ord(character)
    if character in "\t\n\r" or unicodedata.category(character) == "Zs":
        return " "
    if code in (0, 0xFFFD) or unicodedata.category(character).startswith("C"):
        return ""
    return f" {character} " if any(first <= code <= last for first, last in _CJK) else character


def _is_punctuation(character: str) -> bool:
    is_ascii_mark = character.isascii() and character.isprintable() and not character.isalnum() and character != " "
    return is_ascii_mark or unicodedata.category(character).startswith("P")
