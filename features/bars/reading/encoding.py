"""The encoding of text: from its byte order mark, else UTF-8, else the one in which the header's words are known."""

from __future__ import annotations

import codecs

from features.bars.reading.names import field_of

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_OTHERS = (
    "cp1252",
    "cp932",
    "gb18030",
    "big5",
    "euc_kr",
    "cp1250",
    "cp1251",
    "cp1254",
    "koi8_r",
    "cp866",
    "euc_jp",
    "mac_roman",
)


def encoding_of(head: bytes) -> str:
    """Return the encoding of a text from its first bytes.

    charset-normalizer decides where no header tells: it weighs the letters, of which a table has few.
    """
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    if b"\0" in head:
        even, odd = head[::2].count(0), head[1::2].count(0)
        return "utf-16-le" if odd > even else "utf-16-be"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
        return "utf-8"
    except UnicodeDecodeError:
        pass
    known = {name: _known_words(head, name) for name in _OTHERS}
    best = max(_OTHERS, key=lambda name: known[name])
    if known[best] > known["cp1252"] or known["cp1252"] > 0:
        return best if known[best] > known["cp1252"] else "cp1252"
    from charset_normalizer import from_bytes

    guess = from_bytes(head).best()
    return "cp1252" if guess is None else guess.encoding


def decoded(head: bytes, encoding: str) -> str:
    """Return the text of first bytes, without a character that is cut off at the end."""
    return codecs.getincrementaldecoder(encoding)("replace").decode(head)


def _known_words(head: bytes, encoding: str) -> int:
    """Return how many words of the first lines with other letters than ASCII's are names of fields."""
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError:
        return -1
    words = {cell.strip(' "') for line in text.splitlines()[:20] for d in ",;\t|" for cell in line.split(d)}
    return sum(not word.isascii() and field_of(word) is not None for word in words)
