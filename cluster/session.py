"""The only module that starts Ray or joins a running cluster."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext

from cluster.head_watch import ended_without_head, reach
from cluster.local_start import PATIENT, start_patiently
from configs.errors import ClusterError
from configs.logs import log_environment

logger = logging.getLogger(__name__)

# Without these, Ray starts every worker through `uv run` in a copy of the project, and TensorFlow prints banners.
ENVIRONMENT = {
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "KERAS_BACKEND": "tensorflow",
}
# Ray would colour the workers' lines, and drop those that look alike.
_PLAIN_OUTPUT = {"RAY_COLOR_PREFIX": "0", "RAY_DEDUP_LOGS": "0"}


@contextmanager
def connect(
    address: str | None = None,
    cpus: int | None = None,
    resume_hint: str | None = None,
    variables: Mapping[str, str] | None = None,
) -> Iterator[None]:
    """Join the cluster at ``address``, or start Ray on this machine and stop it at the end.

    If this process logs at level INFO or lower, the workers do too: Ray forwards their stdout and stderr to those of
    this process, and puts ``(actor pid=123)`` before each line.

    Parameters
    ----------
    address
        ``host:port`` of a cluster's head, ``ray://host:port``, or ``auto`` for one on this machine.
    cpus
        Number of processors if Ray is started here; all by default.
    resume_hint
        End of the error message if the cluster's head is lost, which ends this process; None leaves that to Ray.
    variables
        More environment variables of every process that works for this one.

    Raises
    ------
    ClusterError
        The address cannot be reached, or Ray does not start.
    """
    for key, value in (ENVIRONMENT | PATIENT | _PLAIN_OUTPUT).items():
        os.environ.setdefault(key, value)
    if address is not None:
        check_reachable(address)
    import ray

    started_here = not ray.is_initialized()
    if started_here:
        verbose = log_environment()
        hook = {"worker_process_setup_hook": "configs.logs.configure_worker_logging"} if verbose else {}
        logger.info("connecting to Ray (%s)", address or "started on this machine")
        terminate = signal.getsignal(signal.SIGTERM)
        try:
            start_patiently(
                lambda: ray.init(
                    address=address if address is not None else "local",
                    num_cpus=cpus if address is None else None,
                    include_dashboard=False if address is None else None,
                    log_to_driver=bool(verbose),
                    logging_level=logging.ERROR,
                    runtime_env={"env_vars": ENVIRONMENT | verbose | dict(variables or {}), **hook},
                ),
                attempts=3 if address is None else 1,
            )
        except Exception as error:  # Ray raises half a dozen unrelated types here
            where = f"the Ray cluster at {address!r} cannot be joined" if address else "Ray cannot be started here"
            detail = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise ClusterError(
                f"{where}: {detail}. Check the address, and that both sides run the same Ray."
            ) from error
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, terminate or signal.SIG_DFL)  # Ray's own handler ends in a traceback
    logging.getLogger("ray").setLevel(logging.ERROR)
    through_client = (address or "").startswith("ray://")  # other ports of the head need not be open to us
    head = str(address).removeprefix("ray://") if through_client else str(ray.get_runtime_context().gcs_address)
    logger.info("connected to Ray; its head is %s", head)
    with nullcontext() if resume_hint is None else ended_without_head(head, resume_hint):
        try:
            yield
        finally:
            if started_here:
                with _signals_ignored():
                    ray.shutdown()


@contextmanager
def _signals_ignored() -> Iterator[None]:
    """Ignore SIGINT and SIGTERM: stopping Ray takes seconds, and an interrupted stop leaves processes behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)


def check_reachable(address: str) -> None:
    """Check that something listens at the address: Ray itself would retry for minutes.

    Raises
    ------
    ClusterError
        The address is malformed, is a job server's, or nothing listens there.
    """
    if address == "auto":
        return
    host, separator, port = address.removeprefix("ray://").rpartition(":")
    if host.startswith(("http:", "https:")):
        raise ClusterError(
            f"--address {address!r} is a job server, for `submit` and `jobs`. Give the head here, as host:6379."
        )
    if not separator or not port.isdigit():
        raise ClusterError(f"--address {address!r} is not of the form host:port, ray://host:port or auto.")
    try:
        reach(address.removeprefix("ray://"))
    except OSError as error:
        raise ClusterError(
            f"nothing answers at --address {address!r} ({error}). Start Ray there with `ray start --head`, or leave "
            "--address out to use this machine."
        ) from error
