"""Commands as jobs of a running cluster, through Ray's job server: submit once, follow and stop."""

from __future__ import annotations

import asyncio
import logging
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp

from cluster.jobs.job_server import ENDED, exit_code, job_client, job_details, job_state, server_errors
from cluster.jobs.packaging import CONFIG_FILE, packed
from configs.errors import ClusterError, ConfigError, last_line
from configs.load import config_hash
from configs.logs import log_environment

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

_WAIT_S, _POLL_S, _RETRIES = 60.0, 1.0, 5
_MAX_BYTES = 100_000  # Linux passes at most 131,072 bytes of one argument, which a shell's command is

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Submitted:
    """A job: its name on the cluster, and whether it ``was_running`` before the submission."""

    name: str
    was_running: bool


def submit(
    address: str,
    verb: str,
    arguments: Sequence[str],
    *,
    config: str | None = None,
    working_dir: str | None = None,
    with_code: bool = True,
) -> Submitted:
    """Start a command on a cluster, unless the same command is running there.

    A job that has ended is started again under its name: what it finished is in its store and is skipped.

    Parameters
    ----------
    address
        The job server, ``http://host:8265``.
    verb, arguments
        A verb of the command line and its arguments.
    config, working_dir, with_code
        See :func:`cluster.jobs.packaging.packed`.

    Raises
    ------
    ClusterError
        The cluster cannot be reached or refuses the job.
    ConfigError
        The working directory lacks the packages, or the files or the command are too large.
    """
    with packed(working_dir, with_code, config) as package:
        client = job_client(address)
        shipped = ["--config", CONFIG_FILE] if config is not None else []
        name = f"fleetcast-{verb}-{config_hash(list(arguments), package.digest)}"
        command = ["python", "-m", "cluster.cli", verb, *arguments, *shipped, "--address", "auto"]
        if variables := log_environment():
            command = ["env", *(f"{key}={value}" for key, value in variables.items()), *command]
        entrypoint = shell_command(command)
        state = job_state(client, name)
        logger.info("job %s: %d files, %d bytes; state on the cluster: %s", name, package.files, package.size, state)
        if state is not None and state not in ENDED:
            return Submitted(name, was_running=True)
        try:
            if state is not None:
                client.delete_job(name)
            client.submit_job(
                entrypoint=entrypoint,
                submission_id=name,
                runtime_env={"working_dir": package.folder} if package.files else {},
                metadata={"fleetcast": verb, "code": package.digest},
            )
        except Exception as error:  # Ray raises RuntimeError with the server's traceback
            if job_state(client, name) not in (None, *ENDED):  # another process submitted it at the same time
                return Submitted(name, was_running=True)
            raise ClusterError(f"the cluster at {address} refuses the job ({last_line(error)}).") from error
    return Submitted(name, was_running=False)


def shell_command(command: Sequence[str]) -> str:
    """Return a command as the text that Ray gives to a shell, which runs it with exactly these arguments.

    Raises
    ------
    ConfigError
        It is too long, or an argument is not UTF-8.
    """
    text = shlex.join(command)
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        wrong = next(one for one in command if not one.isascii() and "\udc80" <= max(one) <= "\udcff")
        raise ConfigError(f"{wrong[:60]!r} is not UTF-8, which a job's command must be. Rename it.") from None
    if size > _MAX_BYTES:
        longest = max(command, key=len)
        raise ConfigError(
            f"the job's command has {size:,} bytes; a shell takes at most {_MAX_BYTES:,} (longest argument: "
            f"{longest[:40]!r}…). Put long lists, such as data.symbols, into a file: --config FILE."
        )
    return text


def follow(address: str, name: str, write: Callable[[str], None]) -> int:
    """Pass a job's output to ``write`` as it arrives, and return the job's exit code when it has ended.

    Raises
    ------
    ClusterError
        The cluster is lost, or has no such job.
    """
    client, output, failures = job_client(address), _Output(write), 0
    job_details(client, name)
    while True:
        try:
            found = job_details(client, name)
            asyncio.run(output.follow(client, name))
            if found.status.value in ENDED:
                output.finish(client.get_job_logs(name))
                return exit_code(found)
            failures = 0
        except (ClusterError, RuntimeError, OSError, aiohttp.ClientError) as error:  # the connection, not the job
            failures += 1
            logger.info("connection lost (%s); attempt %d of %d", last_line(error), failures, _RETRIES)
            if failures > _RETRIES:
                raise ClusterError(
                    f"the connection to {address} is lost ({last_line(error)}). The job may go on: see `fleetcast "
                    f"jobs logs {name} --follow`."
                ) from error
        time.sleep(_POLL_S)


def stop(address: str, name: str) -> bool:
    """Stop a job and wait for its end; return whether it was running. Its finished work stays in its store."""
    client = job_client(address)
    job_details(client, name)
    if job_state(client, name) in ENDED:
        return False
    with server_errors():
        client.stop_job(name)
    deadline = time.monotonic() + _WAIT_S
    while job_state(client, name) not in ENDED:
        if time.monotonic() > deadline:
            raise ClusterError(f"job {name} does not end within {_WAIT_S:.0f} s. See `fleetcast jobs status`.")
        time.sleep(_POLL_S)
    return True


class _Output:
    """Writes each character of a job's output once, even if the connection is lost and made again."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write, self._written = write, 0

    async def follow(self, client: JobSubmissionClient, name: str) -> None:
        """Write what arrives until the connection ends."""
        received = 0
        async for text in client.tail_job_logs(name):
            if (fresh := received + len(text) - self._written) > 0:
                self._written += fresh
                self._write(text[-fresh:])
            received += len(text)

    def finish(self, output: str) -> None:
        """Write what is left of the complete output."""
        if len(output) > self._written:
            self._write(output[self._written :])
