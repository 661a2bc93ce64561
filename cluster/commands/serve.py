"""``fleetcast serve``: forecasts over HTTP, and ``fleetcast keys``: the API keys of its clients."""

from __future__ import annotations

from typing import Annotated

import typer

from cluster.options.common_options import Address, ConfigFile, StorePath

keys = typer.Typer(help="Create API keys; a file stores their hashes only.", no_args_is_help=True)

KeyFile = Annotated[str, typer.Option("--api-key-file", help="File with one line per key, made if needed.")]


def serve(
    preset: Annotated[str, typer.Option(help="Preset whose serve section is used.")] = "demo",
    config: ConfigFile = None,
    store: StorePath = ".fleetcast",
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen at.")] = 8000,
    alias: Annotated[str, typer.Option(help="What to serve: an alias, latest, or a version.")] = "champion",
    api_key_file: Annotated[str | None, typer.Option(help="Require a key of this file; see fleetcast keys.")] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="Listen beyond this machine without keys.")] = False,
    journal: Annotated[bool, typer.Option("--journal", help="Record served predictions in the journal.")] = False,
    database: Annotated[str | None, typer.Option(envvar="FLEETCAST_DATABASE", help="Of --journal, its URL.")] = None,
    overrides: Annotated[list[str] | None, typer.Option("--set", help="serve.key=value; may be repeated.")] = None,
    address: Address = None,
) -> None:
    """Serve the champions over HTTP, new ones as they are promoted. Ctrl-C drains and stops."""
    from contextlib import ExitStack
    from pathlib import Path

    from cluster.ingress import prepare_ingress
    from cluster.options.option_values import interruptible
    from cluster.ports import check_port
    from cluster.service import check_exposure, metrics_url, ray_silenced, service, wait_for_end
    from cluster.session import check_reachable, connect
    from cluster.views.next_steps import where_to_ask
    from configs.load import load_config

    settings = load_config(preset, config, list(overrides or []))
    resolved = settings.serve
    check_exposure(host, api_key_file, insecure)
    from serving.fleets import missing_champions, resolve_versions
    from serving.journal.opening import checked_url
    from serving.web.keys import Keys
    from serving.web.limits import Limits
    from training.registry.manager import ModelManager

    manager = ModelManager(store)
    versions = resolve_versions(manager, alias)
    for sentence in missing_champions(manager, versions) if alias == "champion" else ():
        typer.echo(f"note: {sentence}", err=True)
    key_file = None if api_key_file is None else str(Keys(Path(api_key_file).absolute()).path)
    recorded_in = checked_url(database, manager.store, settings.journal) if journal else None
    check_port(host, port) if address is None else check_reachable(address)
    limits = Limits.of(resolved)
    prepare_ingress(resolved.fast_ingress, limits)
    typer.echo("starting Ray and loading models (half a minute)")
    with interruptible(" before serving began"), ExitStack() as end, connect(address, variables=limits.environment()):
        from serving.app import Arguments

        arguments = Arguments(store=manager.store.uri, alias=alias, key_file=key_file, config=resolved)
        arguments = arguments.model_copy(update={"journal": recorded_in, "journal_config": settings.journal})
        with service(arguments, host, port, is_local=address is None) as url:
            example = next(iter(manager.roster(*next(iter(versions.items()))).symbols()))
            typer.echo(where_to_ask(url, versions, example, metrics_url(), has_keys=key_file is not None))
            wait_for_end()
            typer.echo("draining")
            end.enter_context(ray_silenced())  # until Ray has ended


@keys.command("add")
def add(
    name: Annotated[str, typer.Argument(help="Name of the client.")], api_key_file: KeyFile = "fleetcast-keys"
) -> None:
    """Create a key, store its hash, and print it once."""
    import shlex
    from pathlib import Path

    from serving.web.keys import add_key

    typer.echo(add_key(api_key_file, name))
    path = Path(api_key_file).expanduser().absolute()
    typer.echo(f"its hash is in {path}: fleetcast serve --api-key-file {shlex.quote(str(path))}", err=True)
