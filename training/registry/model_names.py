"""The names of single-symbol models: ``price_direction_<symbol>`` and ``volatility_<symbol>``."""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice

from configs.errors import ModelError

_KINDS = {"price_direction_": "direction", "volatility_": "volatility"}
_NAMED = 5


def parse_model_name(name: str) -> tuple[str, str]:
    """Return the kind and the symbol that a model's name spells; ``ModelError`` if it spells none.

    Examples
    --------
    >>> parse_model_name("price_direction_aapl")
    ('direction', 'aapl')
    """
    for beginning, kind in _KINDS.items():
        if name.startswith(beginning) and name != beginning:
            return kind, name.removeprefix(beginning)
    expected = " or ".join(f"{beginning}<symbol>" for beginning in _KINDS)
    raise ModelError(f"model {name!r} does not exist; expected {expected}, such as price_direction_aapl.")


def match_symbol(symbol: str, known: Collection[str], where: str) -> str:
    """Return the spelling among ``known`` of a symbol: exactly, else in any case.

    Raises
    ------
    ModelError
        No symbol or several match; ``where`` is named in the message.
    """
    if symbol in known:
        return symbol
    found = [candidate for candidate in known if candidate.casefold() == symbol.casefold()]
    if len(found) == 1:
        return found[0]
    if found:
        raise ModelError(f"symbol {symbol!r} could be {' or '.join(map(repr, found))} in {where}. Spell it exactly.")
    some = ", ".join(islice(known, _NAMED)) + (", …" if len(known) > _NAMED else "")
    raise ModelError(f"symbol {symbol!r} is not among the {len(known)} of {where} ({some}). Train it first.")
