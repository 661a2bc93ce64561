"""Which ``Host`` headers are answered, so that no page of another site reaches the server by DNS rebinding."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable
from functools import lru_cache

_FORM = re.compile(r"(\[(?P<address>[0-9a-f:.]+)\]|(?P<name>[^\s:@\[\]]+?)\.?)(:\d*)?")
_PRIVATE = ("local", "localhost", "internal", "home.arpa")  # no public DNS server answers for these


class Hosts:
    """The names by which a server is addressed.

    A browser sends the name of the page's own site, whatever address that name resolves to. A server without keys
    therefore answers only names that no other site can own:

    - bound to loopback: loopback addresses and ``localhost``;
    - bound to other addresses, or to an unknown one: addresses, this machine's name, and names that are not in the
      public DNS (without a dot, or in ``.local``, ``.internal``, ``.localhost``, ``.home.arpa``).

    With keys any name is answered: a page of another site does not know the key. If ``given`` is not empty, it applies
    with keys too.

    Parameters
    ----------
    bound
        Address that the server listens at, or None if it is not known.
    given
        Further names; ``*`` is any name.
    has_keys
        Whether requests need an API key.
    """

    def __init__(self, bound: str | None, given: Iterable[str] = (), *, has_keys: bool = False) -> None:
        names = {_name(host) for host in given}
        self._any = "*" in names or (has_keys and not names)
        self._names = names | ({_name(bound)} if bound is not None else set())
        self._loopback_only = has_keys or (bound is not None and is_loopback(bound))
        self.allow = lru_cache(1024)(self._allow)

    def _allow(self, header: str) -> bool:
        """Return whether a value of the ``Host`` header is answered."""
        name = _name(header)
        if self._any or name in self._names or is_loopback(name):
            return True
        return not self._loopback_only and (_is_address(name) or _is_unregistrable(name))


def is_loopback(host: str) -> bool:
    """Whether an address is a loopback address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _name(header: str) -> str:
    """Return the name or address without port, brackets, letter case and final dot; empty if it is malformed."""
    text = header.strip().lower()
    if match := _FORM.fullmatch(text):
        return str(match["address"] or match["name"])
    return text if _is_address(text) else ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_unregistrable(name: str) -> bool:
    if not name:
        return False
    return (
        "." not in name or name == socket.gethostname().lower() or name.endswith(tuple(f".{end}" for end in _PRIVATE))
    )
