"""``fleetcast submit`` and ``fleetcast jobs``: run commands as jobs of a cluster, and manage them."""

from __future__ import annotations

from typing import Annotated

import typer

from cluster.options.common_options import AsJson

Address = Annotated[
    str, typer.Option(envvar="RAY_API_SERVER_ADDRESS", help="The cluster's job server, http://host:8265.")
]
Name = Annotated[str, typer.Argument(help="The job's name, as `fleetcast jobs list` shows it.")]

jobs = typer.Typer(help="List, follow and stop the jobs that `fleetcast submit` started.", no_args_is_help=True)


def submit(
    context: typer.Context,
    verb: Annotated[str, typer.Argument(help="train, tune or retrain; the options of that command follow.")],
    address: Address = "http://127.0.0.1:8265",
    working_dir: Annotated[
        str | None, typer.Option(help="Ship the code of this checkout instead of the running code.")
    ] = None,
    image_has_code: Annotated[
        bool, typer.Option("--image-has-code", help="Ship the configuration only: the image has the code.")
    ] = False,
    gpus: Annotated[bool, typer.Option("--gpus", help="Give each worker a GPU.")] = False,
    follow: Annotated[bool, typer.Option(help="Print the job's output and exit with its exit code.")] = True,
) -> None:
    """Run a command on a cluster: `fleetcast submit train --store s3://bucket/fleetcast --address http://head:8265`."""
    import sys

    from cluster.jobs.remote_command import remote_command
    from cluster.jobs.submission import follow as follow_job
    from cluster.jobs.submission import submit as start
    from cluster.options.option_values import interruptible

    command = remote_command(verb, context.args, gpus=gpus)
    for note in command.notes:
        print(f"note: {note}", file=sys.stderr)
    job = start(
        address,
        verb,
        command.arguments,
        config=command.config,
        working_dir=working_dir,
        with_code=not image_has_code,
    )
    print(f"job {job.name} {'is running already' if job.was_running else 'started'} on {address}", file=sys.stderr)
    if not follow:
        print(job.name)
        return
    with interruptible(
        f"; the job goes on: fleetcast jobs logs {job.name} --follow, or fleetcast jobs stop {job.name}"
    ):
        code = follow_job(address, job.name, lambda text: print(text, end="", flush=True))
    raise typer.Exit(code)


@jobs.command("list")
def list_jobs(address: Address = "http://127.0.0.1:8265", as_json: AsJson = False) -> None:
    """List this project's jobs, newest first."""
    from cluster.jobs.job_server import jobs_of
    from cluster.views.job_tables import show_jobs

    show_jobs(jobs_of(address), as_json)


@jobs.command()
def status(name: Name, address: Address = "http://127.0.0.1:8265", as_json: AsJson = False) -> None:
    """Show a job's status, command and message."""
    from cluster.jobs.job_server import job_client, job_details, job_facts
    from cluster.views.job_tables import show_job

    show_job(job_facts(job_details(job_client(address), name)), as_json)


@jobs.command()
def logs(
    name: Name,
    address: Address = "http://127.0.0.1:8265",
    follow: Annotated[
        bool, typer.Option("--follow", help="Print until the job ends, and exit with its exit code.")
    ] = False,
) -> None:
    """Print a job's output."""
    from cluster.jobs.job_server import job_client, job_details
    from cluster.jobs.submission import follow as follow_job
    from cluster.options.option_values import interruptible

    if follow:
        with interruptible("; the job goes on"):
            code = follow_job(address, name, lambda text: print(text, end="", flush=True))
        raise typer.Exit(code)
    client = job_client(address)
    job_details(client, name)
    print(client.get_job_logs(name), end="")


@jobs.command()
def stop(name: Name, address: Address = "http://127.0.0.1:8265") -> None:
    """Stop a job; its finished work is kept, and the same submission continues from there."""
    from cluster.jobs.submission import stop as stop_job

    print(f"job {name} {'has ended' if stop_job(address, name) else 'had ended before'}")
