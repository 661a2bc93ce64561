"""Words, numbers and punctuation of English text, for the scorers that count words."""

from __future__ import annotations

import re
from typing import NamedTuple

_TOKEN = re.compile(
    r"(?P<number>(?<![\w.])[+\-−–]?(?:\d[\d,]*(?:\.\d+)?|\.\d+)(?![\w-]{0,20}[^\W\d_]))(?P<percent>\s?(?:%|percent\b|pct\b))?"
    r"|(?P<word>\d+-[^\W\d_]+|[^\W\d_]+(?:['’\-./&][^\W\d_]+)*)"
    r"|(?P<mark>[;:!?,()]|(?<!\bvs)(?<!\bInc)(?<!\bCo)(?<!\bNo)(?<!\bEst)\.(?=\s|$))"
)
MAX_NUMBER = 1e15  # longer digits are identifiers


class Token(NamedTuple):
    """A word in lower case, a mark, or a number with its value; ``signed`` if it was written with + or −."""

    text: str
    value: float | None = None
    signed: bool = False


def tokens(text: str) -> list[Token]:
    """Return the tokens of a text in lower case, in order.

    Examples
    --------
    >>> [token.text for token in tokens("Sales didn’t rise 3.5%, to EUR 1,200 mn.")]
    ['sales', "didn't", 'rise', '3.5', ',', 'to', 'eur', '1200', 'mn', '.']
    """
    found = []
    for match in _TOKEN.finditer(text):
        number = match["number"]
        if number is None:
            found.append(Token(match[0].replace("’", "'").lower()))
            continue
        plain = number.replace(",", "").replace("−", "-").replace("–", "-")
        value = float(plain)
        signed = plain[0] in "+-" and match["percent"] is not None
        found.append(Token(plain, value if abs(value) < MAX_NUMBER else None, signed))
    return found
