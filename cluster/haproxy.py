"""HAProxy as Ray Serve starts it, with limits that Serve's template does not have.

Serve runs this file in place of HAProxy, through the script that :func:`cluster.ingress.prepare_ingress` writes:
``python haproxy.py LIMITS.json BINARY ARGUMENTS…``. It changes the configuration file among the arguments and becomes
HAProxy. It imports only the standard library, because Serve waits for it at each change of replicas.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

MAX_PIPES = 256
"""Pipes between sockets. By default HAProxy reserves one for every four connections, and refuses to start where the
limit of open files is too low for them."""
_OTHER_FILES = 500
_DONE = "# limits added"
_NO_PATH = r"^(\s*http-request return status) 404 content-type text/plain lf-string \"Path .*$"
_ERROR = {"error": {"code": "unavailable", "message": "no server is ready: it starts or ends.", "details": []}}
_NO_APPLICATION = rf"\1 503 content-type application/json hdr Retry-After 1 string '{json.dumps(_ERROR)}'"


def most_connections(files: int) -> int:
    """Return the connections for which a limit of open files is enough: each needs a server's too."""
    return (files - _OTHER_FILES - 2 * MAX_PIPES) // 2


def with_limits(text: str, loopback_ports: list[int], header_ms: int, per_address: int) -> str:
    """Return Serve's configuration of HAProxy with limits; once they are there, it is returned as it is.

    Where there is no application, as before the first replica is ready and while the last one ends, the answer is 503:
    clients would take the 404 of Serve for final.

    Parameters
    ----------
    text
        The configuration.
    loopback_ports
        Ports of statistics and metrics, which Serve's template binds to all interfaces.
    header_ms
        Milliseconds in which the headers of a request must arrive.
    per_address
        Connections of one address at the same time.
    """
    if _DONE in text:
        return text
    ports = "|".join(map(str, loopback_ports))
    text = re.sub(rf"^(\s*bind) [*]?:({ports})$", r"\1 127.0.0.1:\2", text, flags=re.MULTILINE)
    text = _after(text, r"^global$", [_DONE, f"maxpipes {MAX_PIPES}"])
    frontend = [
        "stick-table type ipv6 size 100k expire 10m store conn_cur",
        "tcp-request connection track-sc0 src",
        f"tcp-request connection reject if {{ sc0_conn_cur gt {per_address} }}",
    ]
    text = _after(text, r"^defaults$", [f"timeout http-request {header_ms}ms"])
    text = re.sub(_NO_PATH, _NO_APPLICATION, text, flags=re.MULTILINE)
    return _after(text, r"^frontend http_frontend$", frontend)


def _after(text: str, line: str, added: list[str]) -> str:
    lines = "".join(f"\n    {each}" for each in added)
    return re.sub(line, lambda match: match[0] + lines, text, count=1, flags=re.MULTILINE)


def main(limits: str, binary: str, *arguments: str) -> None:
    """Add the limits to every configuration file among the arguments, and become HAProxy."""
    for argument in arguments:
        if argument.endswith(".cfg"):
            file = Path(argument)
            file.write_text(with_limits(file.read_text(), **json.loads(Path(limits).read_text())))
    os.execv(binary, [binary, *arguments])


if __name__ == "__main__":
    main(*sys.argv[1:])
