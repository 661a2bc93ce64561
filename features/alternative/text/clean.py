"""Texts as sources deliver them (HTML, entities, emoji, megabytes), reduced to the words that scorers read."""

from __future__ import annotations

import hashlib
import re
import unicodedata

from configs.errors import DataError, shown
from features.alternative.text.markup import has_markup, visible_text
from features.alternative.text.normal_form import normalized

MAX_CHARACTERS = 20_000
"""What scorers read of a text: over 3,000 words. A filing's remaining pages are mostly tables and notes."""

_ADDRESS = re.compile(r"\b(?:https?://|www\.)\S+", re.IGNORECASE)
_SPACES = re.compile(r"\s+")


def text_digest(text: str) -> str:
    """Return the SHA-256 (hex) of a text in NFC as UTF-8, which identifies its scores.

    Raises
    ------
    DataError
        It is not a string, or it has a surrogate without its partner, which UTF-8 cannot represent.
    """
    try:
        return hashlib.sha256(normalized("NFC", _checked(text)).encode()).hexdigest()
    except UnicodeEncodeError as error:
        raise DataError(
            f"text {shown(text)} has an unpaired surrogate at character {error.start}; expected valid Unicode. "
            "Read the file with the encoding that it was written in."
        ) from None


def clean_text(text: str) -> str:
    r"""Return a text in NFC on one line, without markup, addresses and control characters.

    Entities become their characters, block elements end a sentence's line, scripts and styles disappear. Emoji stay:
    a scorer may know them. The result has at most ``MAX_CHARACTERS`` characters.

    Raises
    ------
    DataError
        It is not a string.

    Examples
    --------
    >>> clean_text("<p>Profit &amp; sales <b>rose</b></p><script>x()</script> https://a.b/c \x00")
    'Profit & sales rose'
    """
    text = _checked(text)[: 20 * MAX_CHARACTERS]  # markup can be most of a page
    if has_markup(text):
        text = visible_text(text)
    text = normalized("NFC", _ADDRESS.sub(" ", text))
    kept = "".join(c if c in "\u200d\ufe0f" or unicodedata.category(c) not in _CONTROL else " " for c in text)
    return _SPACES.sub(" ", kept[: 2 * MAX_CHARACTERS]).strip()[:MAX_CHARACTERS]


_CONTROL = frozenset(("Cc", "Cf", "Cs", "Co", "Cn"))


def _checked(text: str) -> str:
    if not isinstance(text, str):
        raise DataError(f"text is of type {type(text).__name__}; expected a string. Leave out rows without a text.")
    return text
