"""Texts as sources deliver them (HTML, entities, emoji, megabytes), reduced to the words that scorers read."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from html.parser import HTMLParser

from configs.errors import DataError, shown

MAX_CHARACTERS = 20_000
"""What scorers read of a text: over 3,000 words. A filing's remaining pages are mostly tables and notes."""

_HIDDEN = ("script", "style", "head", "template")
_BREAKS = ("p", "div", "br", "li", "tr", "td", "th", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "article")
_MARKUP = re.compile(r"<(?:[a-zA-Z!/][^<>]{0,2000})>|&(?:#\d+|#x[0-9a-fA-F]+|[a-zA-Z]+\d*);")
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
        return hashlib.sha256(unicodedata.normalize("NFC", _checked(text)).encode()).hexdigest()
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
    if _MARKUP.search(text):
        text = _visible(text)
    text = unicodedata.normalize("NFC", _ADDRESS.sub(" ", text))
    kept = "".join(c if c in "\u200d\ufe0f" or unicodedata.category(c) not in _CONTROL else " " for c in text)
    return _SPACES.sub(" ", kept[: 2 * MAX_CHARACTERS]).strip()[:MAX_CHARACTERS]


_CONTROL = frozenset(("Cc", "Cf", "Cs", "Co", "Cn"))


class _Visible(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in _HIDDEN
        if tag in _BREAKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in _HIDDEN and self._hidden:
            self._hidden -= 1
        if tag in _BREAKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)


def _visible(text: str) -> str:
    parser = _Visible()
    parser.feed(text)
    parser.close()
    return "".join(parser.parts)


def _checked(text: str) -> str:
    if not isinstance(text, str):
        raise DataError(f"text is of type {type(text).__name__}; expected a string. Leave out rows without a text.")
    return text
