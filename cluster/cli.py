"""The command line. Verbs are in ``cluster.commands``; they import what they need when they run."""

from __future__ import annotations

import sys
from functools import cache
from typing import Annotated

import typer
from typer.main import get_command

from cluster.commands import alerts, bot, config, data, jobs, journal, manifests, models, serve
from cluster.commands.ablation import ablation
from cluster.commands.backtest import backtest
from cluster.commands.doctor import doctor
from cluster.commands.monitor import monitor
from cluster.commands.predict import predict
from cluster.commands.retrain import retrain
from cluster.commands.score import score
from cluster.commands.signals import signals
from cluster.commands.train import train
from cluster.commands.tune import tune
from cluster.commands.walk_forward import walk_forward
from cluster.process_end import exit_without_finalizing
from configs.errors import FleetcastError

app = typer.Typer(
    name="fleetcast",
    help="Train, tune, keep and serve price-direction and volatility models for many symbols at once, on Ray.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("fleetcast"))
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Log progress and decisions to stderr; FLEETCAST_LOG=DEBUG logs more.")
    ] = False,
) -> None:
    """Handle the options that precede the verb."""
    from configs.logs import configure_logging

    configure_logging(verbose)


app.command()(train)
app.command()(retrain)
app.command()(predict)
app.command()(score)
app.command()(tune)
app.command()(ablation)
app.command("walk-forward")(walk_forward)
app.command()(backtest)
app.command()(signals)
app.command()(serve.serve)
app.command()(monitor)
app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(jobs.submit)
app.command()(doctor)
app.add_typer(alerts.app, name="alerts")
app.add_typer(bot.app, name="bot")
app.add_typer(config.app, name="config")
app.add_typer(data.app, name="data")
app.add_typer(models.app, name="models")
app.add_typer(serve.keys, name="keys")
app.add_typer(jobs.jobs, name="jobs")
app.add_typer(journal.app, name="journal")
app.add_typer(manifests.app, name="manifests")


_built = cache(get_command)  # reads the annotations of all verbs, which takes longer than many of them run


def main() -> None:
    """Run the command line; a ``FleetcastError`` becomes one line on stderr and exit code 2."""
    try:
        _built(app)()
    except FleetcastError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)


def run() -> None:
    """Run :func:`main` as all that this process does."""
    exit_without_finalizing(main)


if __name__ == "__main__":
    run()
