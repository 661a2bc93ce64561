"""Ports of this machine: find free ones, and check that a port can be bound."""

from __future__ import annotations

import random
import socket
from contextlib import suppress

from configs.errors import ClusterError

# By default `ray start` gives workers 10,002 to 19,999, Serve gives replicas 30,000 to 31,000, and Linux assigns ports
# above 32,767 to sockets that ask for any: Ray opens hundreds of those while it starts, so that a free port found there
# may be in use before it is bound.
_QUIET = range(20_000, 29_900)


def free_ports(count: int) -> list[int]:
    """Return ``count`` different ports of loopback that are free now.

    They are outside the ranges from which Ray and Linux assign ports by default.

    Raises
    ------
    ClusterError
        Fewer are free.
    """
    found: list[int] = []
    for port in random.Random().sample(_QUIET, len(_QUIET)):  # differs between processes, whatever was seeded
        if len(found) == count:
            break
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found.append(port)
    if len(found) < count:
        raise ClusterError(
            f"only {len(found)} ports from {_QUIET.start} to {_QUIET.stop - 1} are free here, not {count}. End what "
            "listens there."
        )
    return found


def free_port() -> int:
    """Return one port as :func:`free_ports` does."""
    return free_ports(1)[0]


def check_port(host: str, port: int) -> None:
    """Check that a port can be bound: Serve itself would retry or fail late.

    Raises
    ------
    ClusterError
        It is in use or not permitted, or the host is not an address of this machine.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ClusterError(
            f"cannot listen at {host}:{port} ({reason}). Choose another with --port or --host."
        ) from error
