"""Limits of connections and of the requests on them, and how the processes of Ray Serve get them."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from json import dumps, loads

from configs.operation import ServeConfig

VARIABLE = "FLEETCAST_CONNECTIONS"
"""The environment variable with the limits, because Serve's proxy knows no setting of the application."""
HOOK = {"RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": "serving.web.connections.limit_connections"}


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a server: its connections, of which an address may have half, and the time and size of requests."""

    connections: int = ServeConfig().max_connections
    header_s: float = ServeConfig().header_timeout_s
    body_s: float = ServeConfig().body_timeout_s
    max_body: int = int(ServeConfig().max_body_mib * 2**20)
    """Bytes."""

    @classmethod
    def of(cls, config: ServeConfig) -> Limits:
        """Return the limits of a configuration."""
        max_body = int(config.max_body_mib * 2**20)
        return cls(config.max_connections, config.header_timeout_s, config.body_timeout_s, max_body)

    @classmethod
    def here(cls) -> Limits:
        """Return the limits that this process was started with."""
        return cls(**loads(os.environ.get(VARIABLE, "{}")))

    def environment(self) -> dict[str, str]:
        """Return the environment variables by which a process of Serve has these limits."""
        return {VARIABLE: dumps(asdict(self)), **HOOK}
