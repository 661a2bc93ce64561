"""One hostile input and what must come of it: the unit that ``bench_hostile.py`` runs and counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Context:
    """What an attack may use.

    Attributes
    ----------
    folder
        An empty temporary folder of this attack.
    url
        A server, ``http://host:port``, or None for attacks that need none.
    key
        A valid API key of the server, or None.
    figures
        Numbers that the benchmark prints in its last line, by name; an attack may add some.
    """

    folder: Path
    url: str | None = None
    key: str | None = None
    figures: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Attack:
    """A hostile input.

    A module of attacks has a list ``ATTACKS`` of them, which ``bench_hostile.py`` collects from every module of this
    folder.

    Attributes
    ----------
    name
        What is sent and what is expected, such as ``a body of 100 bytes that never arrives: 408, others are answered``.
    run
        Sends it. It returns if the outcome is the expected one; every exception counts as a failure, and an
        ``AssertionError`` carries the message.
    needs_server
        Whether ``Context.url`` must be a server.
    """

    name: str
    run: Callable[[Context], None]
    needs_server: bool = False
