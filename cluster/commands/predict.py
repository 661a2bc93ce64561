"""``fleetcast predict``: the newest forecasts of published models, as a table or a file, without a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cluster.options.common_options import Kinds, StorePath

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from configs.values import Kind
    from serving.answers import Prediction
    from serving.snapshot import Snapshot

_FILE = "; - is the standard output."


def predict(
    symbols: Annotated[str | None, typer.Option(help="Names separated by commas; by default all.")] = None,
    bars: Annotated[
        str | None,
        typer.Option(help="File, folder, glob, 'lake' or 'embedded'; by default the lake or what was trained on."),
    ] = None,
    at: Annotated[str | None, typer.Option("--at", help="Use bars up to this day, YYYY-MM-DD; by default all.")] = None,
    kinds: Kinds = None,
    alias: Annotated[str, typer.Option(help="What to use: an alias, latest, or a version.")] = "champion",
    store: StorePath = ".fleetcast",
    csv: Annotated[str | None, typer.Option("--csv", help="Write a CSV file" + _FILE)] = None,
    parquet: Annotated[str | None, typer.Option("--parquet", help="Write a Parquet file.")] = None,
    as_json: Annotated[str | None, typer.Option("--json", help="Write a JSON file" + _FILE)] = None,
    more_bars: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
) -> None:
    """Forecast every symbol from its newest bars, with the champions; a symbol without a model gets a pooled forecast.

    The forecasts are those that ``fleetcast serve`` would answer. The exit code is 1 if a symbol in --symbols, or every
    symbol, lacks a forecast of the kinds in --kinds, by default of all kinds that have a champion.
    """
    import sys
    from datetime import datetime, time

    from cluster.options.option_values import bars_given, bars_named, names
    from configs.errors import shortened
    from configs.operation import ServeConfig
    from serving.answers import KINDS
    from serving.fleets import missing_champions, resolve_versions
    from serving.newest_bars import BarsChoice
    from serving.snapshot import utc_now
    from serving.snapshot_builder import build_snapshot
    from training.registry.manager import ModelManager

    wanted = names("--symbols", symbols) if symbols is not None else []
    chosen = _kinds(kinds)
    choice = BarsChoice(
        [bars_named(one) for one in bars_given(bars, more_bars)] or None, None if at is None else _day(at)
    )
    manager = ModelManager(store)
    versions = resolve_versions(manager, alias, chosen or KINDS)
    snapshot = build_snapshot(manager, versions, ServeConfig(), choice=choice)
    now = None if choice.end is None else min(datetime.combine(choice.end, time.max), utc_now())
    found = [snapshot.prediction(symbol, chosen, now) for symbol in wanted or _at_hand(snapshot)]
    _show(found, csv, parquet, as_json)
    for sentence in missing_champions(manager, versions) if alias == "champion" and chosen is None else ():
        print(f"note: {sentence}", file=sys.stderr)
    for stopped in snapshot.stopped_sources():
        print(f"note: {stopped}.", file=sys.stderr)
    if left := snapshot.bars.lake_symbols_not_read():
        print(f"not forecast: {shortened(left)} of the lake, which no model knows. Add --bars lake.", file=sys.stderr)
    failed = [one.error is not None for one in found]
    if any(failed) if wanted else all(failed):
        raise typer.Exit(1)


def _at_hand(snapshot: Snapshot) -> Sequence[str]:
    """Return the symbols to forecast where none are named: of bars that were given, only those that they have."""
    if not snapshot.bars.is_given:
        return snapshot.symbols
    known = {*snapshot.last_bars, *snapshot.bars.missing, *snapshot.bars.unreadable}
    return [symbol for symbol in snapshot.symbols if symbol in known] or snapshot.symbols


def _kinds(text: str | None) -> tuple[Kind, ...] | None:
    from cluster.options.option_values import names
    from configs.errors import ConfigError
    from serving.answers import KINDS

    if text is None:
        return None
    given = names("--kinds", text)
    unknown = [name for name in given if name not in KINDS]
    if unknown:
        raise ConfigError(f"--kinds {unknown[0]!r} is not a kind of model. Give {' or '.join(KINDS)}.")
    return tuple(kind for kind in KINDS if kind in given)


def _day(text: str) -> date:
    from datetime import date

    from configs.errors import ConfigError

    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"--at {text!r} is not a day. Give one such as 2018-12-31.") from None


def _show(found: Sequence[Prediction], csv: str | None, parquet: str | None, as_json: str | None) -> None:
    import json
    import sys
    from io import BytesIO

    from pydantic_core import to_json
    from rich.text import Text

    from cluster.output_files import STDOUT, write_output
    from cluster.views.console import make_console
    from cluster.views.forecast_table import render_forecasts, row_of
    from configs.safe_json import parse_json
    from serving.frames import frame_of

    if as_json:
        write_output("--json", as_json, json.dumps(parse_json(to_json(found)), indent=1).encode() + b"\n")
    if csv:
        write_output("--csv", csv, frame_of(found).to_csv().encode())
    if parquet:
        buffer = BytesIO()
        frame_of(found).to_parquet(buffer)
        write_output("--parquet", parquet, buffer.getvalue())
    if STDOUT in (as_json, csv):
        return
    console = make_console()
    for part in render_forecasts([row_of(one) for one in found]):
        console.print(part, soft_wrap=isinstance(part, Text), highlight=False)
    for option, path in (("--json", as_json), ("--csv", csv), ("--parquet", parquet)):
        if path:
            print(f"{option[2:]} in {path}", file=sys.stderr)
