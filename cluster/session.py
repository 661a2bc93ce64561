"""The one place that starts Ray or joins a running cluster."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from cluster.head_watch import ended_without_head, reach
from cluster.local_start import PATIENT, start_patiently
from configs.errors import ClusterError

# Without these, Ray would start every worker through `uv run` in a copy of the project, and TensorFlow would greet
# each user with a page of banners.
ENVIRONMENT = {
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "KERAS_BACKEND": "tensorflow",
}


@contextmanager
def connect(address: str | None = None, cpus: int | None = None, kept: str | None = None) -> Iterator[None]:
    """Join the cluster at ``address``, or start Ray on this machine and stop it at the end.

    Parameters
    ----------
    address
        ``host:port`` of a cluster's head, ``ray://host:port``, or ``auto`` for one on this machine.
    cpus
        Processors of a Ray started here; all of the machine's by default.
    kept
        What to tell of when the head is lost, which ends this process; None leaves that to Ray.

    Raises
    ------
    ClusterError
        The address cannot be reached, or Ray does not start.
    """
    for key, value in (ENVIRONMENT | PATIENT).items():
        os.environ.setdefault(key, value)
    if address is not None:
        check_reachable(address)
    import ray

    started_here = not ray.is_initialized()
    if started_here:
        terminate = signal.getsignal(signal.SIGTERM)
        try:
            start_patiently(
                lambda: ray.init(
                    address=address if address is not None else "local",
                    num_cpus=cpus if address is None else None,
                    include_dashboard=False if address is None else None,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                    runtime_env={"env_vars": ENVIRONMENT},
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
            signal.signal(signal.SIGTERM, terminate or signal.SIG_DFL)  # Ray puts its own there, which ends in a trace
    logging.getLogger("ray").setLevel(logging.ERROR)
    through_client = (address or "").startswith("ray://")  # other ports of the head need not be open to us
    head = str(address).removeprefix("ray://") if through_client else str(ray.get_runtime_context().gcs_address)
    with nullcontext() if kept is None else ended_without_head(head, kept):
        try:
            yield
        finally:
            if started_here:
                with _undisturbed():
                    ray.shutdown()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let a second Ctrl-C or SIGTERM pass: stopping Ray takes seconds, and half of it leaves processes behind."""
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
    """Refuse an address nobody listens at: Ray itself would retry for minutes."""
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
