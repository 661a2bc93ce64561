"""What the verbs of ``fleetcast data`` do, and how they show it: a table for people, a document for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from configs.errors import DataError
from features.bars.merge import Appended
from features.bars.quarantine import RULES, Quarantine
from features.bars.sessions import fitting_calendar, session_gaps
from features.sources import Source
from features.store.lake import Lake
from features.store.store import Store

_SHOWN = 30


@dataclass(frozen=True, slots=True)
class Taken:
    """What an import changed, by symbol; the symbols that it could not take; and the rows it left out."""

    store: str
    appended: list[Appended]
    missing: dict[str, str]
    quarantine: Quarantine


@dataclass(frozen=True, slots=True)
class Examined:
    """Rows, span and gaps by symbol (each a row of the table), and the rows left out."""

    symbols: list[dict[str, Any]]
    missing: dict[str, str]
    quarantine: Quarantine


def take_in(
    source: Source, store: Store, symbols: Sequence[str] = (), start: date | None = None, end: date | None = None
) -> Taken:
    """Append all that a source gives to the store's lake, a symbol at a time."""
    lake, appended, covered = Lake(store), [], {}
    for bars in source.load(symbols, start, end):
        appended.append(lake.append(bars))
        covered[bars.symbol] = bars.dates
    lake.record(source.quarantine, covered)
    if not appended:
        raise DataError(f"nothing was imported: {_reasons(source.missing)}. Correct the names, the period or the data.")
    return Taken(store.uri, appended, dict(source.missing), source.quarantine)


def examine(source: Source) -> Examined:
    """Look at all bars of a source, a symbol at a time."""
    rows: list[dict[str, Any]] = []
    for bars in source.load():
        calendar = fitting_calendar(bars.dates)
        gaps = [str(day)[:10] for day in session_gaps(bars.dates, calendar)] if calendar is not None else []
        span = {"first": str(bars.dates[0])[:10], "last": str(bars.dates[-1])[:10]}
        rows.append({"symbol": bars.symbol, "rows": len(bars), **span, "calendar": calendar, "gaps": gaps})
    lost = source.quarantine.lost()
    return Examined(
        [{**row, "quarantined": lost.get(row["symbol"], 0)} for row in rows], dict(source.missing), source.quarantine
    )


def show_import(taken: Taken, as_json: bool) -> None:
    """Print what an import changed."""
    if as_json:
        rows = [asdict(item) for item in taken.appended]
        _print_json({"symbols": rows, "missing": taken.missing, "quarantined": taken.quarantine.counts()})
        return
    console = Console()
    table = _table("symbol", "added", "revised", "held", "rebased")
    for item in taken.appended[:_SHOWN]:
        rebased = f"× {item.rebased:.6g}" if item.rebased != 1.0 else ""
        table.add_row(escape(item.symbol), f"{item.added:,}", f"{item.revised:,}", f"{item.held:,}", rebased)
    console.print(table)
    _more(console, len(taken.appended))
    added, held = sum(item.added for item in taken.appended), sum(item.held for item in taken.appended)
    console.print(f"{len(taken.appended)} symbols, {added:,} bars added, {held:,} held in {escape(taken.store)}")
    _findings(console, taken.quarantine, taken.missing)


def show_inspection(examined: Examined, as_json: bool) -> None:
    """Print rows, span, gaps and quarantined rows."""
    if as_json:
        counts = examined.quarantine.counts()
        _print_json({"symbols": examined.symbols, "missing": examined.missing, "quarantined": counts})
        return
    console = Console()
    table = _table("symbol", "rows", "first", "last", "calendar", "gaps", "first gap", "quarantined")
    for row in examined.symbols[:_SHOWN]:
        gaps = row["gaps"]
        table.add_row(
            escape(row["symbol"]),
            f"{row['rows']:,}",
            row["first"],
            row["last"],
            row["calendar"] or "intraday",
            f"{len(gaps):,}",
            gaps[0] if gaps else "",
            f"{row['quarantined']:,}",
        )
    console.print(table)
    _more(console, len(examined.symbols))
    rows, gaps = sum(r["rows"] for r in examined.symbols), sum(len(r["gaps"]) for r in examined.symbols)
    console.print(f"{len(examined.symbols)} symbols, {rows:,} bars, {gaps:,} sessions without a bar")
    _findings(console, examined.quarantine, examined.missing)


def show_list(lake: Lake, as_json: bool) -> None:
    """Print the symbols of the lake."""
    found = lake.info()
    if as_json:
        rows = [{**asdict(item), "first": str(item.first), "last": str(item.last)} for item in found]
        _print_json({"symbols": rows})
        return
    console = Console()
    if not found:
        console.print("The lake is empty. Fill it: fleetcast data import PATH")
        return
    table = _table("symbol", "rows", "first", "last", "KiB")
    for item in found:
        span = str(item.first)[:10], str(item.last)[:10]
        table.add_row(escape(item.symbol), f"{item.rows:,}", *span, f"{item.size / 1024:,.0f}")
    console.print(table)
    console.print(
        f"{len(found)} symbols, {sum(i.rows for i in found):,} bars, {sum(i.size for i in found) / 2**20:,.1f} MiB"
    )


def _table(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        numeric = name in ("added", "revised", "held", "rows", "gaps", "quarantined", "KiB", "rebased")
        table.add_column(name, justify="right" if numeric else "left", no_wrap=name != "meaning")
    return table


def _more(console: Console, count: int) -> None:
    if count > _SHOWN:
        console.print(f"… and {count - _SHOWN:,} more; --json lists all")


def _findings(console: Console, quarantine: Quarantine, missing: Mapping[str, str]) -> None:
    if len(quarantine):
        console.print("\nrows that broke a rule (left out unless the rule says that the bar is kept)")
        table = _table("rule", "rows", "meaning")
        for rule, count in quarantine.counts().items():
            table.add_row(rule, f"{count:,}", RULES[rule])
        console.print(table)
    for symbol, reason in list(missing.items())[:_SHOWN]:
        console.print(f"[yellow]missing[/yellow] {escape(symbol)}: {escape(reason)}")
    _more(console, len(missing))


def _reasons(missing: Mapping[str, str]) -> str:
    shown = [f"{symbol}: {reason}" for symbol, reason in list(missing.items())[:3]]
    return "; ".join(shown) + (f"; and {len(missing) - 3} more" if len(missing) > 3 else "")


def _print_json(document: dict[str, Any]) -> None:
    print(json.dumps(document, indent=1, allow_nan=False))
