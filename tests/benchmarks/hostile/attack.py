"""One hostile input and what must come of it: the unit that ``bench_hostile.py`` runs and counts.

A module of this folder with a list ``ATTACKS`` is collected by the benchmark; it imports
``from hostile.attack import Attack, Context``.
"""

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
        A valid API key of the server, or None if it has no keys.
    other_key
        The key of another client of the server, whom no attack may affect.
    key_file
        The server's file of keys, or None.
    sockets
        Connections of an attack with many.
    turn
        How often the attacks have run before; the seed of random ones.
    figures
        Numbers that the benchmark prints in its last line; an attack may add to them.
    """

    folder: Path
    url: str | None = None
    key: str | None = None
    other_key: str | None = None
    key_file: Path | None = None
    sockets: int = 4200
    turn: int = 0
    figures: dict[str, float] = field(default_factory=dict)

    @property
    def server(self) -> str:
        """The URL of the server."""
        assert self.url is not None, "the attack needs a server"
        return self.url


@dataclass(frozen=True)
class Attack:
    """A hostile input.

    Attributes
    ----------
    name
        What is sent and what is expected, such as ``a body that never arrives: 408, others are answered``.
    run
        Sends it. It returns if the outcome is the expected one; every exception counts as a failure, and an
        ``AssertionError`` carries the message.
    needs_server
        Whether it runs against servers, once for each kind of server.
    """

    name: str
    run: Callable[[Context], None]
    needs_server: bool = False
