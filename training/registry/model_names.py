"""Names that users write (a single-symbol model, a symbol, a version), and what they stand for."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import islice

from configs.errors import ModelError, UnreadableError, require, shown
from training.tasks import catalog

LATEST = "latest"
ALIASES = ("champion", "previous")
_SHOWN = 5


def parse_model_name(name: str, kind: str = "") -> tuple[str, str]:
    """Return the kind and the symbol of a single-symbol model's name; ``ModelError`` if it is no such name.

    ``kind`` is that of the predictor at hand, for the message.

    Examples
    --------
    >>> parse_model_name("price_direction_aapl")
    ('direction', 'aapl')
    """
    for found, task in catalog().items():
        if not isinstance(name, str):
            break
        if name.startswith(task.name_prefix) and name != task.name_prefix:
            return found, name.removeprefix(task.name_prefix)
    prefixes = {found: task.name_prefix for found, task in catalog().items()}
    expected = " or ".join(f"{prefix}<symbol>" for prefix in prefixes.values())
    symbol = name if isinstance(name, str) and name.isalnum() else "aapl"
    example = f"{prefixes.get(kind) or next(iter(prefixes.values()))}{symbol}"
    raise ModelError(f"{shown(name)} is no name of a model; expected {expected}, such as {example}.")


def match_symbol(symbol: str, known: Collection[str], where: str) -> str:
    """Return the spelling of a symbol among ``known``: an exact match, else the only match in any case.

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
    examples = ", ".join(islice(known, _SHOWN)) + (", …" if len(known) > _SHOWN else "")
    raise ModelError(f"symbol {symbol!r} is not among the {len(known)} of {where} ({examples}). Train it first.")


def match_version(version: str, known: Sequence[str], aliases: Mapping[str, str], kind: str) -> str:
    """Return the version that a name, a unique beginning of one, an alias or ``latest`` stands for.

    Parameters
    ----------
    known
        The versions of the kind, oldest first, at least one.
    aliases
        Alias → version.

    Raises
    ------
    ModelError
        None or several match; the message lists the choices.
    UnreadableError
        An alias's version no longer exists; the message lists the choices too.
    """
    require(version, str, "version", f"a name, such as {LATEST!r}")
    if version == LATEST:
        return known[-1]
    found = [name for name in known if name == aliases.get(version, version)]
    if not found and version and version not in aliases:
        found = [name for name in known if name.startswith(version)]
    if len(found) == 1:
        return found[0]
    choices = ", ".join([*aliases, LATEST, *reversed(known[-_SHOWN:])])
    older = f" and {len(known) - _SHOWN} older" if len(known) > _SHOWN else ""
    remedy = f"{kind}. Choose one of: {choices}{older}."
    if version in aliases:
        raise UnreadableError(f"{version!r} names {aliases[version]}, which no longer exists, in {remedy}")
    if version in ALIASES:
        way = "`fleetcast models promote` makes a version champion"
        raise ModelError(f"{kind} has no {version}. Choose one of: {choices}{older}. {way}.")
    raise ModelError(f"{version!r} {f'matches {len(found)} versions' if found else 'is no version'} of {remedy}")
