"""``fleetcast manifests``: files that run Fleetcast on Kubernetes, rented machines or an existing Serve cluster."""

from __future__ import annotations

from typing import Annotated

import typer

from cluster.options.common_options import ConfigFile, Overrides

app = typer.Typer(help="Render the files that run Fleetcast on clusters.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep ``render`` a verb: typer would merge a group of one command into it."""


@app.command()
def render(
    context: typer.Context,
    kinds: Annotated[
        list[str] | None,
        typer.Argument(
            help="ray-cluster, ray-job, ray-cron-job, ray-service (these four by default), ray-up-aws, ray-up-gcp, "
            "containerfile, serve, bot (a Deployment) or bot-unit (systemd).",
            metavar="[KIND]...",
        ),
    ] = None,
    preset: Annotated[str, typer.Option(help="demo, smoke, equities or gpu.")] = "equities",
    config: ConfigFile = None,
    bars: Annotated[
        str | None, typer.Option(help="Bars to train on, at a place that nodes reach; 'lake' or 'embedded'.")
    ] = None,
    store: Annotated[str | None, typer.Option(envvar="FLEETCAST_STORE", help="s3:// or gs:// URI.")] = None,
    image: Annotated[str | None, typer.Option(help="The container image of every node.")] = None,
    namespace: Annotated[str, typer.Option(help="Namespace of Kubernetes.")] = "fleetcast",
    alias: Annotated[str, typer.Option(help="What to serve: an alias, latest, or a version.")] = "champion",
    host: Annotated[str, typer.Option(help="serve only: address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="serve only: port to listen at.")] = 8000,
    api_key_file: Annotated[str | None, typer.Option(help="serve only: file of keys on every node.")] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Serve without keys to everyone who reaches it.")
    ] = False,
    overrides: Overrides = None,
    out: Annotated[str | None, typer.Option(help="Folder to write into; by default the text is printed.")] = None,
) -> None:
    """Render manifests from a preset: `fleetcast manifests render ray-service --store s3://bucket/x --image NAME`."""
    import shlex
    import sys

    from cluster.jobs.remote_command import spelled
    from cluster.manifests.render import MANIFESTS, together, written
    from cluster.manifests.target import Target
    from cluster.options.option_values import resolved_config

    names = kinds or [name for name, manifest in MANIFESTS.items() if manifest.kubernetes]
    resolved = resolved_config(preset, config, bars, None, list(overrides or []))
    target = Target(resolved, preset, store, image, namespace, host, port, alias, api_key_file, insecure)
    given = {**context.params, "kinds": None, "out": None}

    def command(name: str) -> str:
        return shlex.join(["fleetcast", "manifests", "render", name, *spelled(context.command, given)])

    if out is None:
        print(together(names, target, command), end="")
        return
    for path in written(names, target, command, out):
        print(path, file=sys.stderr)
