"""The only module that runs the Serve application."""

from __future__ import annotations

import io
import logging
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from types import FrameType
from typing import TYPE_CHECKING

from configs.errors import ClusterError, ConfigError
from serving.web.hosts import is_loopback

if TYPE_CHECKING:
    from serving.app import Arguments

NAME = "fleetcast"
_LOCAL_DRAIN_POLL_S = 0.2  # the only proxy ends together with the replicas
_DELETED_WITHIN_S = 60.0
_PROXY_LOGS = "/tmp/ray/session_latest/logs/serve"
REQUEST_MARGIN_S = 5.0
"""How much longer Serve's proxy waits than a replica, so that the replica reports a timeout."""


@contextmanager
def service(arguments: Arguments, host: str, port: int, *, is_local: bool = False) -> Iterator[str]:
    """Run the application on the connected Ray cluster, yield its URL, and drain and stop it at the end.

    If the cluster ends with the application (``is_local``), draining is faster.

    Raises
    ------
    ClusterError
        No replica becomes ready, and the message has the last one's reason; or the HTTP proxy does not start.
    """
    from ray import serve
    from ray.exceptions import RayError
    from ray.serve.config import HTTPOptions
    from ray.serve.schema import LoggingConfig

    from serving.app import application

    for name in ("ray.serve", "ray"):
        logging.getLogger(name).setLevel(logging.ERROR)
    arguments = arguments.model_copy(update={"host": host})
    _check_free(arguments)
    options = HTTPOptions(host=host, port=port, request_timeout_s=arguments.config.timeout_s + REQUEST_MARGIN_S)
    try:
        try:
            serve.start(
                http_options=options, logging_config=LoggingConfig(enable_access_log=False, log_level="WARNING")
            )
        except RayError as error:
            reason = str(error).strip().partition("\n")[0]
            raise ClusterError(
                f"the HTTP proxy of Ray Serve does not start on {host}:{port}: {reason} Its log is in {_PROXY_LOGS}. A "
                "machine that is short of memory or processors is the usual reason: give it more, or try again."
            ) from error
        try:
            app = application(arguments, _LOCAL_DRAIN_POLL_S) if is_local else application(arguments)
            serve.run(app, name=NAME, route_prefix="/")
        except RuntimeError as error:
            raise ClusterError(f"no replica becomes ready: {_reason() or error}") from error
        yield f"http://{_url_host(host)}:{port}"
    finally:
        with ray_silenced():
            _delete_application()  # waits for requests in progress, which shutdown does not
            serve.shutdown()  # type: ignore[no-untyped-call]


@contextmanager
def ray_silenced() -> Iterator[None]:
    """Discard what Ray prints: the raylet reports the end of Serve's controller, which ends itself, as a failed task.

    The report arrives with a delay and on stdout, so the end of Ray must be inside too.
    """
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        yield


def _delete_application() -> None:
    """Delete the application, and wait until its replicas have ended; Serve's own wait looks once a second."""
    from ray import serve

    serve.delete(NAME, _blocking=False)
    until = time.monotonic() + _DELETED_WITHIN_S
    while NAME in serve.status().applications and time.monotonic() < until:
        time.sleep(0.05)


def _check_free(arguments: Arguments) -> None:
    """Check that Serve is not running on the cluster, and that the replicas fit.

    Raises
    ------
    ClusterError
        Serve runs and would keep its own address and applications, or replicas would wait for processors for ever.
    """
    import ray
    from ray import serve

    from serving.app import count_shards

    running = serve.status()
    if running.proxies or running.applications:
        raise ClusterError("Ray Serve runs on this cluster already. Use `serve deploy cluster/manifests/serve.yaml`.")
    config, cpus = arguments.config, ray.cluster_resources().get("CPU", 0.0)  # type: ignore[no-untyped-call]
    replicas = config.replicas * count_shards(arguments)
    needed = replicas * config.cpus_per_replica
    if needed > cpus:
        raise ClusterError(
            f"{replicas} replicas of {config.cpus_per_replica:g} processors need {needed:g}; the cluster has {cpus:g}. "
            "Lower serve.replicas or serve.cpus_per_replica, or add nodes."
        )


def metrics_url() -> str:
    """Return the URL at which Ray exports this node's metrics to Prometheus."""
    import ray

    node = ray.nodes()[0]  # type: ignore[no-untyped-call]
    return f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics"


def check_exposure(host: str, key_file: str | None, insecure: bool) -> None:
    """Check that a server which listens beyond this machine has a key file or is ``insecure`` on purpose.

    Raises
    ------
    ConfigError
        It has neither.
    """
    if key_file is None and not insecure and not is_loopback(host):
        raise ConfigError(
            f"--host {host} lets everyone who reaches this machine ask, and there is no key file. Make a key with "
            "`fleetcast keys add NAME --api-key-file FILE` and give --api-key-file FILE, or say --insecure."
        )


def wait_for_end() -> None:
    """Wait for SIGINT or SIGTERM."""
    ended = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        ended.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    ended.wait()


def _reason() -> str:
    """Return the last replica's error: ours have a remedy, others get one."""
    from ray import serve

    found = [
        deployment.message
        for application in serve.status().applications.values()
        for deployment in application.deployments.values()
        if deployment.message
    ]
    lines = [line.strip() for line in (found[0].splitlines() if found else []) if line.strip()]
    ours = [line for line in lines if line.startswith("configs.errors.")]
    if ours:
        return ours[-1].partition(": ")[2]
    last = (lines or [""])[-1]
    reason = (last.partition(": ")[2] or last).rstrip(".")
    return reason and f"{reason}. Check the store and its models."


def _url_host(host: str) -> str:
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host
    return f"[{shown}]" if ":" in shown else shown
