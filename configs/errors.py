"""The hierarchy of errors that Fleetcast raises on purpose.

Every message says what was given, what was expected, and what to do. The command line turns any
:class:`FleetcastError` into one line and exit code 2; everything else is a bug and shows its traceback.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

_SHOWN = 80
_PASSWORD = re.compile(r"(://[^\s/:@]*:)[^\s@]+@")
_IN_QUERY = re.compile(r"([?&]\w*password=)[^\s&'\"]+", re.IGNORECASE)
_BOUNDED = reprlib.Repr()  # a short value, by aliases or by nesting, can have a text of gigabytes
_BOUNDED.maxlevel = 4
_BOUNDED.maxlist = _BOUNDED.maxtuple = _BOUNDED.maxdict = _BOUNDED.maxset = _BOUNDED.maxfrozenset = 16
_BOUNDED.maxstring = _BOUNDED.maxlong = _BOUNDED.maxother = 3 * _SHOWN


class FleetcastError(Exception):
    """A problem that the user can solve; the message says how."""


class ConfigError(FleetcastError):
    """A preset, file or ``--set`` has a key or a value that does not fit the schema."""


class DataError(FleetcastError):
    """Bars are missing, unreadable, or too few for what was asked."""


class StoreError(FleetcastError):
    """The store cannot be read or written, or its files are of another version."""


class DiskFullError(StoreError):
    """A file of the store cannot be written, because the disk, a quota or a limit of file sizes is reached."""


class ModelError(FleetcastError):
    """A model, version or alias does not exist, is corrupt, or does not fit the data it is given."""


class UnreadableError(ModelError):
    """A file of the registry is missing, damaged or of another schema: what it says is not known."""


class ClusterError(FleetcastError):
    """Ray cannot be reached, or the cluster lacks the resources that the run asks for."""


class BotError(FleetcastError):
    """The bot cannot go on from its stored state, or with the bars that it is given."""


class DatabaseError(FleetcastError):
    """The journal's database cannot be opened, read or written, or its schema is of another version."""


class DatabaseUnavailableError(DatabaseError):
    """The same for a reason that may pass: it is locked, full, or its server does not answer. Try again later."""


class LeaseLostError(DatabaseError):
    """Another process has taken over a lease, so that nothing may be written under the old one."""


def require(value: object, types: type | tuple[type, ...], what: str, expected: str) -> None:
    """Raise ``ConfigError`` if a value is not of these types; True and False are no numbers."""
    if not isinstance(value, types) or (isinstance(value, bool) and types is int):
        raise ConfigError(f"{what} is of type {type(value).__name__}; expected {expected}.")


def shown(value: object) -> str:
    """Return a value as it is written in Python, on one line and at most 80 characters long, for messages.

    Passwords in URLs are masked.
    """
    return masked(" ".join(_BOUNDED.repr(value).split()))[:_SHOWN]


def masked(text: str) -> str:
    """Return a text without the passwords of its URLs."""
    return _IN_QUERY.sub(r"\1***", _PASSWORD.sub(r"\1***@", text))


def last_line(error: BaseException) -> str:
    """Return the last line of an error's text: libraries that include a traceback put the message there."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(error).__name__


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a question with the known name that is most like this one, and a space; empty without such a name."""
    close = get_close_matches(name, list(known), 1)
    return f"Did you mean {close[0]!r}? " if close else ""


def shortened(names: Sequence[str], most: int = 5) -> str:
    """Return the first of these names and how many more there are, for messages."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
