"""The Serve config that ``serve deploy`` and a RayService take."""

from __future__ import annotations

from typing import Any

from cluster.manifests.target import KEY_FILE, Target
from cluster.service import NAME, REQUEST_MARGIN_S, check_exposure
from configs.operation import ServeConfig

_POD = {"host": "0.0.0.0", "port": 8000}


def serve_config(target: Target) -> dict[str, Any]:
    """Return the config for an existing cluster.

    Raises
    ------
    ConfigError
        It would listen beyond loopback without keys.
    """
    check_exposure(target.host, target.key_file, target.insecure)
    return _config(target, target.the_store(shared=False), {"host": target.host, "port": target.port}, target.key_file)


def pod_config(target: Target) -> dict[str, Any]:
    """Return the config for pods, which listen on all interfaces and require the keys of a Secret."""
    return _config(target, target.the_store(shared=True), _POD, None if target.insecure else KEY_FILE)


def _config(target: Target, store: str, place: dict[str, Any], key_file: str | None) -> dict[str, Any]:
    serve = target.config.serve
    changed = serve.model_dump(mode="json", exclude_defaults=True)
    return {
        "proxy_location": "EveryNode",
        "http_options": {**place, "request_timeout_s": serve.timeout_s + REQUEST_MARGIN_S},
        "logging_config": {"log_level": "WARNING", "enable_access_log": False},
        "applications": [
            {
                "name": NAME,
                "route_prefix": "/",
                "import_path": "serving.app:build",
                "args": {
                    "store": store,
                    "alias": target.alias,
                    "key_file": key_file,
                    "host": place["host"],
                    "config": changed,
                },
            }
        ],
    }


def drain_s(serve: ServeConfig) -> int:
    """Return how long a node drains: another replica starts elsewhere meanwhile, and requests in progress finish."""
    return int(serve.timeout_s) + 60
