"""The visible text of HTML, in time linear in its length, whatever it is.

The standard library's parser takes quadratic time for unfinished tags and raises ``AssertionError`` for ``<![``.
"""

from __future__ import annotations

import html
import re

_HIDDEN = frozenset(("script", "style", "head", "template"))
_BREAKS = frozenset("p div br li tr td th h1 h2 h3 h4 h5 h6 blockquote article".split())
_MARKUP = re.compile(r"<(?:[a-zA-Z!/][^<>]{0,2000})>|&(?:#\d+|#x[0-9a-fA-F]+|[a-zA-Z]+\d*);")
_NAME = r"[a-zA-Z][^\s<>/]*+"  # possessive, as all repetitions here: to give back a part would take quadratic time
_QUOTED = r"""(?:[^<>"']|"[^<"]*+"|'[^<']*+')*+"""
_TAG = re.compile(rf"</?({_NAME}){_QUOTED}>|</?({_NAME})[^<>]*+>|<[!?/][^<>]*+>")
_END_OF = {name: re.compile(rf"</{name}\b", re.IGNORECASE) for name in _HIDDEN}
_LONG_NUMBER = re.compile(r"&#(?:\d{8,}|[xX][0-9a-fA-F]{7,});?")  # no character; its conversion is slow or refused


def has_markup(text: str) -> bool:
    """Whether a text has a tag or an entity."""
    return _MARKUP.search(text) is not None


def visible_text(text: str) -> str:
    r"""Return a text without tags, comments, scripts and styles, and with entities as their characters.

    Block elements end a line. What follows an unfinished comment or script is hidden, as in a browser.

    Examples
    --------
    >>> visible_text("<p>Profit &amp; sales</p><!-- note --><![if]>rose")
    '\nProfit & sales\nrose'
    """
    parts, place = list[str](), 0
    while (begin := text.find("<", place)) >= 0:
        parts.append(text[place:begin])
        if text.startswith("<!--", begin):
            end = text.find("-->", begin + 4)
            place = end + 3 if end >= 0 else len(text)
            continue
        tag = _TAG.match(text, begin)
        if tag is None:
            parts.append("<")
            place = begin + 1
            continue
        name, place = (tag[1] or tag[2] or "").lower(), tag.end()
        if name in _BREAKS:
            parts.append("\n")
        if name in _HIDDEN and text[begin + 1] != "/":
            closing = _END_OF[name].search(text, place)
            place = closing.start() if closing else len(text)
    parts.append(text[place:])
    return html.unescape(_LONG_NUMBER.sub(" ", "".join(parts)))
