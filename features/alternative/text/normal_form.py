"""Unicode normal forms in time linear in the length of a text.

References
----------
Unicode Standard Annex #15, "Unicode Normalization Forms", section 13: the stream-safe text format.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Literal

_MOST_MARKS = 30
_JOINER = "\u034f"  # COMBINING GRAPHEME JOINER, which marks are not sorted across
_MAYBE_MARKS = re.compile(rf"[^\x00-\u02ff]{{{_MOST_MARKS + 1},}}")


def normalized(form: Literal["NFC", "NFD"], text: str) -> str:
    """Return the normal form of a text, with a joiner after every 30 combining marks that follow each other.

    Marks are sorted in time quadratic in the length of their run, which no writing system needs to be over 30.
    """
    if not text.isascii():
        text = _MAYBE_MARKS.sub(lambda found: _divided(found[0]), text)
    return unicodedata.normalize(form, text)


def _divided(text: str) -> str:
    parts, marks = list[str](), 0
    for character in text:
        marks = marks + 1 if _is_mark(character) else 0
        if marks > _MOST_MARKS:
            parts.append(_JOINER)
            marks = 1
        parts.append(character)
    return "".join(parts)


@lru_cache(maxsize=10_000)
def _is_mark(character: str) -> bool:
    """Whether all characters of its decomposition are sorted."""
    return all(map(unicodedata.combining, unicodedata.normalize("NFKD", character)))
