"""``fleetcast data``: bars into the lake, and what the lake holds."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

app = typer.Typer(name="data", help="Import, fetch and inspect bars.", no_args_is_help=True)

StoreOption = Annotated[str, typer.Option("--store", envvar="FLEETCAST_STORE", help="A folder, s3:// or gs:// URI.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
PathArgument = Annotated[str, typer.Argument(help="A CSV or Parquet file, a folder of them, or a quoted glob.")]
Day = typer.Option(formats=["%Y-%m-%d"], help="A day, included.")


@app.command("import")
def import_(
    path: PathArgument,
    store: StoreOption = ".fleetcast",
    symbol: Annotated[str | None, typer.Option(help="The symbol of a file that names none.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Import bars from files into the lake; running it again changes nothing."""
    from cluster.views.data_tables import show_import, take_in
    from features.sources.files import FileSource
    from features.store.store import Store

    show_import(take_in(FileSource(path, symbol), Store(store)), as_json)


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
    from cluster.options import names
    from cluster.views.data_tables import show_import, take_in
    from features.sources import open_source
    from features.store.store import Store

    wanted, kept = names("--symbols", symbols), Store(store)
    taken = take_in(open_source(source, kept), kept, wanted, start.date(), end.date() if end is not None else None)
    show_import(taken, as_json)


@app.command()
def inspect(
    path: Annotated[str | None, typer.Argument(help="Files to inspect without importing them.")] = None,
    store: StoreOption = ".fleetcast",
    as_json: JsonOption = False,
) -> None:
    """Show rows, span, gaps against the exchange calendar, and quarantined rows by rule."""
    from cluster.views.data_tables import examine, show_inspection
    from features.sources import open_source
    from features.store.store import Store

    show_inspection(examine(open_source("lake" if path is None else path, Store(store))), as_json)


@app.command("list")
def list_(store: StoreOption = ".fleetcast", as_json: JsonOption = False) -> None:
    """List the symbols that the lake holds."""
    from cluster.views.data_tables import show_list
    from features.store.lake import Lake
    from features.store.store import Store

    show_list(Lake(Store(store)), as_json)
