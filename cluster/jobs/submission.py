"""Commands as jobs of a running cluster: submitted once, followed, and ended, through Ray's job server."""

from __future__ import annotations

import asyncio
import logging
import re
import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp

from cluster.jobs.packaging import CONFIG_FILE, packed
from configs.errors import ClusterError, ConfigError, last_line
from configs.load import config_hash

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

_OVER = ("SUCCEEDED", "FAILED", "STOPPED")
_WAIT_S, _POLL_S, _RETRIES = 60.0, 1.0, 5
_PACKAGING = "ray._private.runtime_env.packaging"
_ID = re.compile(r"[A-Za-z0-9_.-]{1,80}")


@dataclass(frozen=True, slots=True)
class Submitted:
    """A job: its name on the cluster, and whether it ``ran`` already when it was asked for."""

    name: str
    ran: bool


def submit(
    address: str,
    verb: str,
    arguments: Sequence[str],
    *,
    config: str | None = None,
    working_dir: str | None = None,
    with_code: bool = True,
) -> Submitted:
    """Start a command on a cluster; the same one that runs there already is not started again.

    A job that has ended is started anew under its name: what it finished is in its store and is not done again.

    Parameters
    ----------
    address
        The job server, ``http://host:8265``.
    verb, arguments
        The command as this machine's command line takes it.
    config, working_dir, with_code
        See :func:`cluster.jobs.packaging.packed`.

    Raises
    ------
    ClusterError
        The cluster cannot be reached or refuses the job.
    ConfigError
        There is nothing to ship, or too much.
    """
    client = job_client(address)
    with packed(working_dir, with_code, config) as package:
        shipped = ["--config", CONFIG_FILE] if config is not None else []
        name = f"fleetcast-{verb}-{config_hash(list(arguments), package.digest)}"
        command = ["python", "-m", "cluster.cli", verb, *arguments, *shipped, "--address", "auto"]
        state = _state(client, name)
        if state is not None and state not in _OVER:
            return Submitted(name, ran=True)
        try:
            if state is not None:
                client.delete_job(name)
            client.submit_job(
                entrypoint=shlex.join(command),
                submission_id=name,
                runtime_env={"working_dir": package.folder} if package.files else {},
                metadata={"fleetcast": verb, "code": package.digest},
            )
        except Exception as error:  # Ray raises RuntimeError with the server's traceback
            if _state(client, name) not in (None, *_OVER):  # another submitted the same at the same moment
                return Submitted(name, ran=True)
            raise ClusterError(f"the cluster at {address} refuses the job ({last_line(error)}).") from error
    return Submitted(name, ran=False)


def follow(address: str, name: str, say: Callable[[str], None]) -> int:
    """Pass a job's output on as it comes, and return its exit code when it has ended.

    Raises
    ------
    ClusterError
        The cluster is lost, or has no such job.
    """
    client, tail, failures = job_client(address), _Tail(say), 0
    checked(client, name)
    while True:
        try:
            found = checked(client, name)
            asyncio.run(tail.follow(client, name))
            if found.status.value in _OVER:
                tail.rest(client.get_job_logs(name))
                return exit_code(found)
            failures = 0
        except (ClusterError, RuntimeError, OSError, aiohttp.ClientError) as error:  # the connection, not the job
            failures += 1
            if failures > _RETRIES:
                raise ClusterError(
                    f"the connection to {address} is lost ({last_line(error)}). The job may go on: see `fleetcast "
                    f"jobs logs {name} --follow`."
                ) from error
        time.sleep(_POLL_S)


def exit_code(details: Any) -> int:
    """Return the exit code of a job that has ended: its command's own, where that is known."""
    if details.status.value == "SUCCEEDED":
        return 0
    own = getattr(details, "driver_exit_code", None)
    return int(own) if own and own > 0 else 130 if details.status.value == "STOPPED" else 1


def listed(address: str) -> list[dict[str, Any]]:
    """Return the jobs of this project, the newest first."""
    client = job_client(address)
    with _answering():
        found = [one for one in client.list_jobs() if (one.metadata or {}).get("fleetcast")]
    return [described(one) for one in sorted(found, key=lambda one: -(one.start_time or 0))]


def described(details: Any) -> dict[str, Any]:
    """Return what to tell of a job."""
    start, end = details.start_time, details.end_time
    return {
        "name": details.submission_id,
        "status": details.status.value,
        "command": details.entrypoint.partition("cluster.cli ")[2],
        "started": None if start is None else start // 1000,
        "seconds": None if not start else round(((end or time.time() * 1000) - start) / 1000),
        "message": _first_line(details.message or ""),
    }


def stop(address: str, name: str) -> bool:
    """End a job and wait for it; return whether it was still running. What it has finished is kept in its store."""
    client = job_client(address)
    checked(client, name)
    if _state(client, name) in _OVER:
        return False
    with _answering():
        client.stop_job(name)
    until = time.monotonic() + _WAIT_S
    while _state(client, name) not in _OVER:
        if time.monotonic() > until:
            raise ClusterError(f"job {name} does not end within {_WAIT_S:.0f} s. See `fleetcast jobs status`.")
        time.sleep(_POLL_S)
    return True


def job_client(address: str) -> JobSubmissionClient:
    """Return a client of a cluster's job server.

    Raises
    ------
    ConfigError
        The address is no URL of one.
    ClusterError
        Nothing answers there, or it wants another token.
    """
    if not re.fullmatch(r"https?://[^\s/]+/?", address):
        raise ConfigError(f"--address {address!r} is no job server. Give its URL, such as http://head:8265.")
    from ray.job_submission import JobSubmissionClient

    for place in ("ray", "ray.dashboard.modules.dashboard_sdk", "ray.dashboard.modules.job.sdk", _PACKAGING):
        logging.getLogger(place).setLevel(logging.ERROR)
    try:
        return JobSubmissionClient(address.rstrip("/"))
    except Exception as error:  # ConnectionError, RuntimeError and others, by what is wrong
        raise ClusterError(
            f"the job server at {address} does not answer ({last_line(error)}). Check the address and, where the "
            "cluster asks for a token, RAY_AUTH_MODE=token and RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH."
        ) from error


def checked(client: JobSubmissionClient, name: str) -> Any:
    """Return a job's details; ``ClusterError`` if there is no such job."""
    found = _details(client, name)
    if found is None:
        raise ClusterError(f"the cluster has no job {name!r}. See `fleetcast jobs list`.")
    return found


def _details(client: JobSubmissionClient, name: str) -> Any:
    if not _ID.fullmatch(name):
        return None
    with _answering():
        try:
            return client.get_job_info(name)
        except RuntimeError as error:
            if "404" in str(error) or "does not exist" in str(error):
                return None
            raise


@contextmanager
def _answering() -> Iterator[None]:
    """Explain what a job server means that does not answer any more, or not as it should."""
    try:
        yield
    except (RuntimeError, OSError) as error:
        raise ClusterError(
            f"the job server does not answer any more ({last_line(error)}). Jobs may go on: see `fleetcast jobs list`."
        ) from error


def _state(client: JobSubmissionClient, name: str) -> str | None:
    found = _details(client, name)
    return None if found is None else str(found.status.value)


class _Tail:
    """Passes a job's output on, each character once, however often the connection begins anew."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say, self._told = say, 0

    async def follow(self, client: JobSubmissionClient, name: str) -> None:
        """Pass on what comes until the connection ends."""
        seen = 0
        async for text in client.tail_job_logs(name):
            if (fresh := seen + len(text) - self._told) > 0:
                self._told += fresh
                self._say(text[-fresh:])
            seen += len(text)

    def rest(self, whole: str) -> None:
        """Pass on what of the whole output was not."""
        if len(whole) > self._told:
            self._say(whole[self._told :])


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")
