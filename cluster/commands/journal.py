"""``fleetcast journal``: look at the database of predictions, export it, delete old rows, upgrade its tables."""

from __future__ import annotations

from typing import Annotated

import typer

from cluster.options.common_options import AsJson, Database, StorePath

app = typer.Typer(help="The database of predictions, outcomes, orders and alerts.", no_args_is_help=True)

DEFAULT_STORE = ".fleetcast"


@app.command()
def show(database: Database = None, store: StorePath = DEFAULT_STORE, as_json: AsJson = False) -> None:
    """Show rows by table, and predictions by version with how many have outcomes."""
    from cluster.views.journal_tables import show_overview
    from serving.journal import open_journal
    from serving.journal.overview import overview

    with open_journal(database, store, create=False) as journal:
        show_overview(overview(journal), as_json)


@app.command()
def export(
    folder: Annotated[str, typer.Argument(help="Folder of the Parquet files, one for each table.")],
    tables: Annotated[str | None, typer.Option(help="Which, separated by commas; all by default.")] = None,
    since: Annotated[str | None, typer.Option(help="Leave out rows of before this day, such as 2026-01-31.")] = None,
    database: Database = None,
    store: StorePath = DEFAULT_STORE,
    as_json: AsJson = False,
) -> None:
    """Write tables as Parquet files."""
    from cluster.options.option_values import day_named, names
    from cluster.views.journal_tables import show_counts
    from serving.journal import open_journal
    from serving.journal.export import export_tables

    wanted = names("--tables", tables) if tables is not None else []
    first = None if since is None else day_named("--since", since)
    with open_journal(database, store, create=False) as journal, journal.connect() as connection:
        show_counts(export_tables(connection, folder, wanted, first), f"written to {folder}", as_json)


@app.command()
def prune(
    keep_days: Annotated[int | None, typer.Option(min=1, max=100_000, help="Days to keep.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count only.")] = False,
    config: Annotated[str | None, typer.Option(help="YAML file with journal.keep_days.")] = None,
    overrides: Annotated[list[str] | None, typer.Option("--set", help="journal.key=value; may be repeated.")] = None,
    database: Database = None,
    store: StorePath = DEFAULT_STORE,
    as_json: AsJson = False,
) -> None:
    """Delete old rows; never what an open position, a running test or the next step needs."""
    from datetime import UTC, datetime, timedelta

    from cluster.views.journal_tables import show_counts
    from configs.errors import ConfigError
    from configs.load import load_config
    from serving.journal import open_journal
    from serving.journal.retention import prune as delete_old

    settings = load_config(file=config, overrides=overrides or ()).journal
    if (days := keep_days or settings.keep_days) is None:
        raise ConfigError("nothing says how much to keep. Give --keep-days, such as 1500, or journal.keep_days.")
    now = datetime.now(UTC)
    with open_journal(database, store, settings, create=False) as journal, journal.begin() as connection:
        counts = delete_old(connection, days, now, dry_run=dry_run)
        is_file = journal.is_sqlite
    done = "would be deleted" if dry_run else "deleted"
    show_counts(counts, f"of before {now - timedelta(days=days):%Y-%m-%d} {done}", as_json)
    if counts["predictions"] and not as_json:
        typer.echo("strategies measure their skill without these predictions; a replay cannot go on without its steps")
    if any(counts.values()) and is_file and not dry_run and not as_json:
        typer.echo("the file keeps its size, and new rows use the space")


@app.command()
def upgrade(database: Database = None, store: StorePath = DEFAULT_STORE) -> None:
    """Make the tables, or bring those of an older Fleetcast to the newest version."""
    from serving.journal.database import connect_journal
    from serving.journal.migrate import upgrade as bring_up

    with connect_journal(database, store) as journal:
        done = bring_up(journal)
        was = "made" if done.before is None else f"upgraded from {done.before}"
        text = f"already has version {done.after}" if done.before == done.after else f"{was}: version {done.after}"
        typer.echo(f"{journal.url} {text}" + (f"; the file of before is {done.copy}" if done.copy else ""))
