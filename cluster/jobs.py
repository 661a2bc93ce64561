"""Commands as jobs of a running cluster: submitted once, followed, and ended, through Ray's job server."""

from __future__ import annotations

import asyncio
import logging
import re
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cluster.packaging import CONFIG_FILE, packed
from configs.errors import ClusterError, ConfigError
from configs.load import config_hash

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

VERBS = ("train", "tune")
_OVER = ("SUCCEEDED", "FAILED", "STOPPED")
_WAIT_S, _POLL_S = 60.0, 1.0
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
        See :func:`cluster.packaging.packed`.

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
            raise ClusterError(f"the cluster at {address} refuses the job ({_last_line(error)}).") from error
    return Submitted(name, ran=False)


def follow(address: str, name: str, say: Callable[[str], None]) -> int:
    """Pass a job's output on as it comes, and return its exit code when it has ended.

    Raises
    ------
    ClusterError
        The cluster is lost, or has no such job.
    """
    client = job_client(address)
    checked(client, name)
    told = 0
    while True:
        try:
            told = asyncio.run(_tail(client, name, told, say))
        except Exception as error:  # the connection, not the job
            if _state(client, name) is None:
                raise ClusterError(f"the cluster at {address} was lost ({_last_line(error)}).") from error
        found = checked(client, name)
        if found.status.value in _OVER:
            _rest(client, name, told, say)
            return exit_code(found)
        time.sleep(_POLL_S)


def exit_code(details: Any) -> int:
    """Return the exit code of a job that has ended: its command's own, where that is known."""
    if details.status.value == "SUCCEEDED":
        return 0
    own = getattr(details, "driver_exit_code", None)
    return int(own) if own and own > 0 else 130 if details.status.value == "STOPPED" else 1


def listed(address: str) -> list[dict[str, Any]]:
    """Return the jobs of this project, the newest first."""
    found = [one for one in job_client(address).list_jobs() if (one.metadata or {}).get("fleetcast")]
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

    logging.getLogger("ray").setLevel(logging.ERROR)
    try:
        return JobSubmissionClient(address.rstrip("/"))
    except Exception as error:  # ConnectionError, RuntimeError and others, by what is wrong
        raise ClusterError(
            f"the job server at {address} does not answer ({_last_line(error)}). Check the address and, where the "
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
    try:
        return client.get_job_info(name)
    except RuntimeError as error:
        if "404" in str(error) or "does not exist" in str(error):
            return None
        raise ClusterError(f"the job server fails ({_last_line(error)}).") from error


def _state(client: JobSubmissionClient, name: str) -> str | None:
    found = _details(client, name)
    return None if found is None else str(found.status.value)


async def _tail(client: JobSubmissionClient, name: str, told: int, say: Callable[[str], None]) -> int:
    """Pass on what comes after the first ``told`` characters, and return how many there were."""
    seen = 0
    async for text in client.tail_job_logs(name):
        if seen + len(text) > told:
            say(text[max(0, told - seen) :])
        seen += len(text)
    return max(seen, told)


def _rest(client: JobSubmissionClient, name: str, told: int, say: Callable[[str], None]) -> None:
    """Pass on what came after the connection ended."""
    text = client.get_job_logs(name)
    if len(text) > told:
        say(text[told:])


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def _last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(error).__name__
