"""``fleetcast data``: import, fetch and inspect bars."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Annotated

import typer

app = typer.Typer(name="data", help="Import, fetch and inspect bars.", no_args_is_help=True)

StoreOption = Annotated[str, typer.Option("--store", envvar="FLEETCAST_STORE", help="A folder, s3:// or gs:// URI.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
PathArgument = Annotated[str, typer.Argument(help="A CSV or Parquet file, a folder of them, or a quoted glob.")]
Day = typer.Option(formats=["%Y-%m-%d"], help="A day, inclusive.")


class Seam(Enum):
    """What an import does where its closes differ from the stored ones of the same bars by one factor."""

    REBASE = "rebase"
    KEEP = "keep"
    REFUSE = "refuse"


@app.command("import")
def import_(
    path: PathArgument,
    store: StoreOption = ".fleetcast",
    symbol: Annotated[str | None, typer.Option(help="The symbol of a file without a symbol column.")] = None,
    on_steps: Annotated[
        Seam, typer.Option(help="Where closes differ from the stored ones by a factor: rebase these, keep or refuse.")
    ] = Seam.REBASE,
    as_json: JsonOption = False,
) -> None:
    """Import bars from files into the lake; running it again changes nothing."""
    from cluster.lake_bars import import_bars
    from cluster.views.data_tables import show_import
    from features.sources.files import FileSource
    from features.store.store import Store

    imported = import_bars(FileSource(path, symbol), Store(store), on_steps=on_steps.value)
    show_import(imported, as_json)


@app.command()
def fetch(
    symbols: Annotated[str, typer.Option(help="Names separated by commas, such as AAPL,MSFT.")],
    start: Annotated[datetime, Day],
    end: Annotated[datetime | None, Day] = None,
    source: Annotated[str, typer.Option(help="Where to fetch from.")] = "yahoo",
    store: StoreOption = ".fleetcast",
    as_json: JsonOption = False,
) -> None:
    """Fetch bars from a source into the lake."""
    from cluster.lake_bars import import_bars
    from cluster.options import names
    from cluster.views.data_tables import show_import
    from features.sources import open_source
    from features.store.store import Store

    wanted, lake_store = names("--symbols", symbols), Store(store)
    last = end.date() if end is not None else None
    show_import(import_bars(open_source(source, lake_store), lake_store, wanted, start.date(), last), as_json)


@app.command()
def inspect(
    path: Annotated[str | None, typer.Argument(help="Files to inspect without importing them.")] = None,
    store: StoreOption = ".fleetcast",
    as_json: JsonOption = False,
) -> None:
    """Show rows, span, period, gaps against the exchange calendar, steps, and quarantined rows by rule."""
    from cluster.lake_bars import inspect_bars
    from cluster.views.data_tables import show_inspection
    from features.sources import open_source
    from features.store.store import Store

    show_inspection(inspect_bars(open_source("lake" if path is None else path, Store(store))), as_json)


@app.command()
def remove(
    symbols: Annotated[str, typer.Argument(help="Names separated by commas, such as AAPL,MSFT.")],
    store: StoreOption = ".fleetcast",
) -> None:
    """Delete symbols' bars and quarantined rows from the lake."""
    from cluster.options import names
    from features.store.lake import Lake
    from features.store.store import Store

    lake = Lake(Store(store))
    for symbol in names("SYMBOLS", symbols):
        lake.remove(symbol)
        print(f"{symbol} was removed from {lake.store.uri}")


@app.command("list")
def list_(store: StoreOption = ".fleetcast", as_json: JsonOption = False) -> None:
    """List the symbols in the lake."""
    from cluster.views.data_tables import show_list
    from features.store.lake import Lake
    from features.store.store import Store

    show_list(Lake(Store(store)), as_json)
