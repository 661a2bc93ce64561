"""``fleetcast bot``: scan closed bars, trade on paper, replay the past."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from cluster.options.common_options import AsJson, ConfigFile, Database, Overrides, StorePath, StrategyName

app = typer.Typer(name="bot", help="Scan closed bars, trade on paper, and replay the past.", no_args_is_help=True)

Bars = Annotated[str | None, typer.Option(help="File, folder or 'embedded' to read in place of the lake.")]
AcceptTerms = Annotated[
    bool, typer.Option("--accept-terms", help="Go on under other costs or lots than before; the journal dates it.")
]


@app.command()
def run(
    every: Annotated[str | None, typer.Option(help="Time between scans, such as 10m; also that of fetching.")] = None,
    strategy: StrategyName = None,
    paper: Annotated[bool, typer.Option("--paper/--live", help="Trade a simulated account; live needs Python.")] = True,
    once: Annotated[bool, typer.Option("--once", help="Run every task once, in order, and end.")] = False,
    task: Annotated[list[str] | None, typer.Option(help="Only this task; may be repeated.")] = None,
    bars: Bars = None,
    database: Database = None,
    config: ConfigFile = None,
    store: StorePath = ".fleetcast",
    overrides: Overrides = None,
    accept_terms: AcceptTerms = False,
) -> None:
    """Run the bot until Ctrl-C or SIGTERM; of several with one name one works and the others wait."""
    from cluster.bot_process import run_bot, run_once
    from cluster.options.bot_options import bot_config, open_bot

    resolved = bot_config(config, strategy, every, task, overrides)
    with open_bot(resolved, store, database, bars, paper=paper, accept_terms=accept_terms) as opened:
        if once:
            raise typer.Exit(run_once(opened, task))
        run_bot(opened)


@app.command()
def scan(
    strategy: StrategyName = None,
    bars: Bars = None,
    database: Database = None,
    config: ConfigFile = None,
    store: StorePath = ".fleetcast",
    overrides: Overrides = None,
    accept_terms: AcceptTerms = False,
) -> None:
    """Scan once and print the signals of the newest bars as JSON."""
    from cluster.options.bot_options import bot_config, open_bot
    from cluster.views.bot_tables import as_json

    resolved = bot_config(config, strategy, None, None, overrides)
    with open_bot(resolved, store, database, bars, accept_terms=accept_terms) as opened:
        signals = opened.run_scan()
        names = {"bot": resolved.bot.name, "strategy": resolved.strategy.name}
        typer.echo(as_json({**names, "scan": opened.scan_summary, "signals": signals}))


@app.command()
def status(
    name: Annotated[str | None, typer.Argument(help="The bot's name; by default bot.name.")] = None,
    database: Database = None,
    config: ConfigFile = None,
    store: StorePath = ".fleetcast",
    overrides: Overrides = None,
    json: AsJson = False,
) -> None:
    """Show whether the bot lives, its positions and profits, and what its tasks did; exit code 1 if it does not."""
    from cluster.options.bot_options import bot_config, open_status
    from cluster.views.bot_tables import show_status

    found = open_status(bot_config(config, None, None, None, overrides), store, database, name)
    show_status(found, json)
    raise typer.Exit(0 if found.is_healthy else 1)


@app.command()
def replay(
    first: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day.")] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day.")] = None,
    walk_forward: Annotated[
        str | None, typer.Option(help="A walk-forward run or a beginning of its name; by default the newest.")
    ] = None,
    version: Annotated[
        str | None, typer.Option(help="Use the test period of a version, champion, previous or latest instead.")
    ] = None,
    strategy: StrategyName = None,
    database: Annotated[
        str | None, typer.Option(help="URL of a journal for this replay; by default a new file.")
    ] = None,
    scramble_from: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Shuffle returns from this day on: how soon is it found?"),
    ] = None,
    config: ConfigFile = None,
    store: StorePath = ".fleetcast",
    overrides: Overrides = None,
    json: AsJson = False,
) -> None:
    """Go through past bars day by day as the bot would have, and compare the account with the backtest's."""
    from cluster.options.bot_options import replay_past
    from cluster.views.bot_tables import show_replay

    days = [None if day is None else day.date() for day in (first, last)]
    broken = None if scramble_from is None else scramble_from.date()
    show_replay(replay_past(config, strategy, days, walk_forward, version, database, store, overrides, broken), json)
