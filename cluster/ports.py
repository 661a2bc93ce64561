"""Ports of this machine: one that is free, and whether one can be listened at."""

from __future__ import annotations

import random
import socket
from contextlib import suppress

from configs.errors import ClusterError

# Unless told otherwise, `ray start` gives workers 10,002 to 19,999, Serve gives replicas 30,000 to 31,000, and Linux
# gives whoever asks for any port one above 32,767: Ray alone opens hundreds of those while it starts, so a port found
# there may be taken before it is listened at.
_QUIET = range(20_000, 29_900)


def free_ports(count: int) -> list[int]:
    """Return so many ports of loopback, each another one, that nobody uses at this moment.

    They are among those that neither Ray nor Linux gives, by their defaults, to whoever asks for any.

    Raises
    ------
    ClusterError
        Fewer are free.
    """
    found: list[int] = []
    for port in random.Random().sample(_QUIET, len(_QUIET)):  # another process draws others, whatever was seeded
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
    """Refuse a port that cannot be listened at: Serve itself would retry or fail late.

    Raises
    ------
    ClusterError
        It is taken, not allowed, or the host is not this machine's.
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
