"""A cluster's job server: its client, and the jobs that it knows."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from configs.errors import ClusterError, ConfigError, last_line

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

ENDED = ("SUCCEEDED", "FAILED", "STOPPED")
_NOISY = (
    "ray",
    "ray._private.runtime_env.packaging",
    "ray.dashboard.modules.dashboard_sdk",
    "ray.dashboard.modules.job.sdk",
)
_ID = re.compile(r"[A-Za-z0-9_.-]{1,80}")


def job_client(address: str) -> JobSubmissionClient:
    """Return a client of a cluster's job server.

    Raises
    ------
    ConfigError
        The address is not the URL of a job server.
    ClusterError
        The server does not answer, or refuses the token.
    """
    if not re.fullmatch(r"https?://[^\s/]+/?", address):
        raise ConfigError(f"--address {address!r} is no job server. Give its URL, such as http://head:8265.")
    from ray.job_submission import JobSubmissionClient

    for noisy in _NOISY:
        logging.getLogger(noisy).setLevel(logging.ERROR)
    try:
        return JobSubmissionClient(address.rstrip("/"))
    except Exception as error:  # Ray raises ConnectionError, RuntimeError and others
        raise ClusterError(
            f"the job server at {address} does not answer ({last_line(error)}). Check the address and, where the "
            "cluster asks for a token, RAY_AUTH_MODE=token and RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH."
        ) from error


def job_details(client: JobSubmissionClient, name: str) -> Any:
    """Return a job's details; ``ClusterError`` if there is no such job."""
    found = _find(client, name)
    if found is None:
        raise ClusterError(f"the cluster has no job {name!r}. See `fleetcast jobs list`.")
    return found


def _find(client: JobSubmissionClient, name: str) -> Any:
    if not _ID.fullmatch(name):
        return None
    with server_errors():
        try:
            return client.get_job_info(name)
        except RuntimeError as error:
            if "404" in str(error) or "does not exist" in str(error):
                return None
            raise


@contextmanager
def server_errors() -> Iterator[None]:
    """Turn a failed request to the job server into a ``ClusterError``."""
    try:
        yield
    except (RuntimeError, OSError) as error:
        raise ClusterError(
            f"the job server does not answer any more ({last_line(error)}). Jobs may go on: see `fleetcast jobs list`."
        ) from error


def job_state(client: JobSubmissionClient, name: str) -> str | None:
    """Return a job's status, such as ``RUNNING``; None if there is no such job."""
    found = _find(client, name)
    return None if found is None else str(found.status.value)


def jobs_of(address: str) -> list[dict[str, Any]]:
    """Return the facts of this project's jobs, newest first."""
    client = job_client(address)
    with server_errors():
        found = [job for job in client.list_jobs() if (job.metadata or {}).get("fleetcast")]
    return [job_facts(job) for job in sorted(found, key=lambda job: -(job.start_time or 0))]


def job_facts(details: Any) -> dict[str, Any]:
    """Return a job's facts as JSON-able values; ``started`` is in seconds since 1970."""
    start, end = details.start_time, details.end_time
    return {
        "name": details.submission_id,
        "status": details.status.value,
        "command": details.entrypoint.partition("cluster.cli ")[2],
        "started": None if start is None else start // 1000,
        "seconds": None if not start else round(((end or time.time() * 1000) - start) / 1000),
        "message": _first_line(details.message or ""),
    }


def exit_code(details: Any) -> int:
    """Return the exit code of a job that has ended: that of its command, if it is known."""
    if details.status.value == "SUCCEEDED":
        return 0
    own = getattr(details, "driver_exit_code", None)
    return int(own) if own and own > 0 else 130 if details.status.value == "STOPPED" else 1


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")
