"""``fleetcast data``: import, fetch, inspect, rename and remove bars and other data."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from cluster.options.common_options import AsJson, StorePath
from cluster.options.reading_options import (
    Columns,
    DateFormat,
    Decimal,
    MaxUnpacked,
    Period,
    Seam,
    SymbolColumn,
    Timezone,
    reading_of,
)
from cluster.options.unused_options import refuse_given
from configs.errors import ConfigError, did_you_mean
from configs.words import counted

app = typer.Typer(
    name="data", help="Import, fetch, inspect, rename and remove bars and other data.", no_args_is_help=True
)

PathsArgument = Annotated[list[str], typer.Argument(metavar="PATH...", help="CSV or Parquet files, folders or globs.")]
Day = typer.Option(formats=["%Y-%m-%d"], help="A day, inclusive.")


@app.command("import")
def import_(
    paths: PathsArgument,
    store: StorePath = ".fleetcast",
    symbol: Annotated[str | None, typer.Option(help="The symbol of a file without a symbol column.")] = None,
    columns: Columns = None,
    symbol_column: SymbolColumn = None,
    date_format: DateFormat = None,
    decimal: Decimal = None,
    timezone: Timezone = None,
    period: Period = None,
    max_unpacked_mib: MaxUnpacked = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the first bars as understood; import none.")] = False,
    on_steps: Annotated[
        Seam, typer.Option(help="Where closes differ from the stored ones by a factor: rebase these, keep or refuse.")
    ] = Seam.REBASE,
    kind: Annotated[
        str | None, typer.Option(help="Of files that have no bars: text, macro, options, series or events.")
    ] = None,
    lag_days: Annotated[
        list[str] | None, typer.Option(help="NAME=DAYS from a series' dates to publication; may be repeated.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Import bars or other data from files into the lake; running it again changes nothing."""
    from features.store.store import Store

    if kind is not None:
        given = {
            "--symbol": symbol,
            "--columns": columns,
            "--symbol-column": symbol_column,
            "--decimal": decimal,
            "--period": period,
            "--max-unpacked-mib": max_unpacked_mib,
            "--dry-run": dry_run or None,
            "--on-steps": None if on_steps is Seam.REBASE else on_steps,
        }
        refuse_given(given, "reads bars; files of --kind are read by their columns' names")
        from cluster.alternative_data import import_rows
        from cluster.options.option_values import days_by_name
        from cluster.views.alternative_tables import show_imported_rows

        lags = days_by_name("--lag-days", lag_days or [])
        written = reading_of(None, None, date_format, None, timezone, None).date_format
        imported = import_rows(Store(store), paths, kind, timezone=timezone, lag_days=lags, date_format=written)
        show_imported_rows(imported, as_json)
        return
    refuse_given({"--lag-days": lag_days}, "is of series; name their --kind, such as --kind macro")
    from cluster.lake_bars import preview_bars
    from cluster.views.data_tables import show_import, show_preview
    from features.lake_import import import_bars
    from features.sources.files import FileSource
    from features.sources.processes import usable_processors

    reading = reading_of(columns, symbol_column, date_format, decimal, timezone, period, max_unpacked_mib)
    source = FileSource(paths, symbol, reading, processes=usable_processors())
    if dry_run:
        show_preview(preview_bars(source), as_json)
    else:
        show_import(import_bars(source, Store(store), on_steps=on_steps.value), as_json)


@app.command()
def fetch(
    symbols: Annotated[str | None, typer.Option(help="Names separated by commas, such as AAPL,MSFT.")] = None,
    start: Annotated[datetime | None, Day] = None,
    end: Annotated[datetime | None, Day] = None,
    source: Annotated[
        str,
        typer.Option(
            help="Bars: yahoo. Other data: fred, alpaca, edgar, alphavantage, yahoo_news, yahoo_options, open_meteo."
        ),
    ] = "yahoo",
    series: Annotated[str | None, typer.Option(help="Series of fred separated by commas, such as CPIAUCSL.")] = None,
    place: Annotated[
        list[str] | None, typer.Option(help="A place of open_meteo, such as Chicago=41.9,-87.6; may be repeated.")
    ] = None,
    base_url: Annotated[
        str | None, typer.Option(help="Another address of a source of other data, such as a proxy's.")
    ] = None,
    store: StorePath = ".fleetcast",
    as_json: AsJson = False,
) -> None:
    """Fetch bars, or other data, from a source into the lake; running it again stores nothing twice."""
    from cluster.options.option_values import day_of, fetched_items
    from cluster.views.data_tables import show_import
    from features import sources
    from features.alternative.fetch import catalog
    from features.lake_import import import_bars
    from features.store.store import Store

    lake_store, first, last = Store(store), day_of(start), day_of(end)
    if source not in catalog() and source not in sources.catalog():
        known = ["yahoo", *sorted(catalog())]
        hint = did_you_mean(source, known) or "Check the name. "
        raise ConfigError(f"--source has value {source!r}; expected one of {', '.join(known)}. {hint.rstrip()}")
    other = catalog().get(source)
    items = fetched_items(source, other.items if other else "symbols", symbols, series, place)
    if other is not None:
        from cluster.alternative_fetch import fetch_rows
        from cluster.views.alternative_tables import show_imported_rows

        show_imported_rows(fetch_rows(lake_store, source, items, first, last, base_url=base_url), as_json)
        return
    if base_url is not None or first is None:
        what = "has one address. Leave out --base-url" if base_url else "needs --start, such as --start 2010-01-01"
        raise ConfigError(f"source {source!r} {what}.")
    show_import(import_bars(sources.open_source(source, lake_store), lake_store, items, first, last), as_json)


@app.command()
def inspect(
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PATH]...", help="Files to inspect without importing them, or symbols of the lake."),
    ] = None,
    columns: Columns = None,
    symbol_column: SymbolColumn = None,
    date_format: DateFormat = None,
    decimal: Decimal = None,
    timezone: Timezone = None,
    period: Period = None,
    max_unpacked_mib: MaxUnpacked = None,
    alternative: Annotated[
        bool, typer.Option("--alternative", help="Show the lake's other data, of symbols or all: lags, vintages, gaps.")
    ] = False,
    refused: Annotated[
        bool, typer.Option("--refused", help="With --alternative: list the rows that were refused, with the rule.")
    ] = False,
    store: StorePath = ".fleetcast",
    as_json: AsJson = False,
) -> None:
    """Show rows, span, period, gaps against the exchange calendar, steps, and quarantined rows by rule."""
    if alternative:
        from cluster.alternative_data import inspect_rows
        from cluster.views.alternative_tables import show_inspected_rows
        from features.store.alternative import AlternativeLake
        from features.store.store import Store

        lake_store = Store(store)
        lake, found = AlternativeLake(lake_store), inspect_rows(lake_store, paths or ())
        show_inspected_rows(found, lake.refused(), lake.quarantine, as_json, list_refused=refused)
        return
    refuse_given({"--refused": refused or None}, "is of other data; add --alternative")
    from cluster.lake_bars import inspect_bars, symbols_of_lake
    from cluster.views.data_tables import show_inspection
    from features.sources import open_source
    from features.store.store import Store

    names = symbols_of_lake(Store(store), paths or [])
    spec = "lake" if names or not paths else paths[0] if len(paths) == 1 else paths
    reading = reading_of(columns, symbol_column, date_format, decimal, timezone, period, max_unpacked_mib)
    source = open_source(spec, Store(store), reading)
    show_inspection(inspect_bars(source, names), as_json)


@app.command()
def remove(
    symbols: Annotated[list[str], typer.Argument(metavar="SYMBOL...", help="The symbols whose bars to delete.")],
    alternative: Annotated[
        bool,
        typer.Option("--alternative", help="Delete other data, named as by inspect: CPI, 'MSFT iv30', 'AAPL news'."),
    ] = False,
    store: StorePath = ".fleetcast",
    as_json: AsJson = False,
) -> None:
    """Delete symbols, or other data, from the lake; models that were trained on them stay."""
    import json

    from features.store.lake import Lake
    from features.store.store import Store

    wanted = list(dict.fromkeys(symbols))
    if alternative:
        from cluster.alternative_data import remove_rows

        rows = remove_rows(Store(store), wanted)
        text = "\n".join(f"removed {counted(count, 'row')} of {name}" for name, count in rows.items())
        print(json.dumps({"removed": rows}) if as_json else text)
        return
    Lake(Store(store)).remove(wanted)
    print(json.dumps({"removed": wanted}) if as_json else f"removed {', '.join(wanted)}")


@app.command()
def rename(
    symbol: Annotated[str, typer.Argument(help="A symbol of the lake.")],
    name: Annotated[str, typer.Argument(help="Its new name.")],
    store: StorePath = ".fleetcast",
    as_json: AsJson = False,
) -> None:
    """Give a symbol of the lake another name; models know it by the name that they were trained with."""
    import json

    from features.store.lake import Lake
    from features.store.store import Store

    Lake(Store(store)).rename(symbol, name)
    print(json.dumps({"renamed": {symbol: name}}) if as_json else f"renamed {symbol} to {name}")


@app.command("list")
def list_(store: StorePath = ".fleetcast", as_json: AsJson = False) -> None:
    """List the symbols in the lake."""
    from cluster.options.option_values import check_store
    from cluster.views.data_tables import show_list
    from features.store.lake import Lake
    from features.store.store import Store

    lake_store = Store(store)
    check_store(lake_store, store)
    show_list(Lake(lake_store), as_json)
