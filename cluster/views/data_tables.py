"""The output of ``fleetcast data``: tables, or one JSON document."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cluster.lake_bars import InspectedBars, PreviewedBars
from configs.words import counted
from features.alternative.schemas import TABLES
from features.bars.arrays import VALUES
from features.bars.merge import Appended
from features.bars.quarantine import RULES, Quarantine
from features.bars.stale import StaleRun
from features.bars.steps import Step
from features.lake_import import ImportedBars
from features.store.alternative import AlternativeLake
from features.store.lake import Lake

_SHOWN, _READ_LINES = 30, 12


def show_import(imported: ImportedBars, as_json: bool) -> None:
    """Print what an import changed."""
    if as_json:
        rows = [_change(item) for item in imported.appended]
        findings = {"missing": imported.missing, "quarantined": imported.quarantine.counts()}
        _print_json({"symbols": rows, **findings, "read_as": list(imported.read_as)})
        return
    console = Console()
    table = _table("symbol", "added", "revised", "stored", "rebased")
    for item in imported.appended[:_SHOWN]:
        rebased = f"× {item.rebased:.6g}" if item.rebased != 1.0 else ""
        table.add_row(escape(item.symbol), f"{item.added:,}", f"{item.revised:,}", f"{item.stored:,}", rebased)
    console.print(table)
    _more(console, len(imported.appended))
    added, stored = sum(item.added for item in imported.appended), sum(item.stored for item in imported.appended)
    console.print(
        f"{counted(len(imported.appended), 'symbol')}, {counted(added, 'bar')} added, {stored:,} stored in "
        f"{escape(imported.store)}"
    )
    show_reading(console, imported.read_as)
    seams = {item.symbol: item.seam for item in imported.appended}
    _steps(console, {item.symbol: item.steps for item in imported.appended}, seams)
    _findings(console, imported.quarantine, imported.missing)


def _change(item: Appended) -> dict[str, Any]:
    """Return what an append changed as JSON; the key of the stored bars is ``held``, for programs that read it."""
    facts = {**asdict(item), "steps": _plain(item.steps), "seam": _plain(item.seam)}
    return {"held" if name == "stored" else name: value for name, value in facts.items()}


def show_inspection(inspected: InspectedBars, as_json: bool) -> None:
    """Print rows, span, gaps and quarantined rows."""
    if as_json:
        counts = inspected.quarantine.counts()
        rows = [
            {**row, "steps": _plain(row["steps"]), "stale": [_plain_run(run) for run in row["stale"]]}
            for row in inspected.symbols
        ]
        findings = {"missing": inspected.missing, "quarantined": counts, "read_as": list(inspected.read_as)}
        _print_json({"symbols": rows, **findings})
        return
    console = Console()
    table = _table("symbol", "rows", "first", "last", "period", "gaps", "first gap", "broken")
    for row in inspected.symbols[:_SHOWN]:
        gaps = row["gaps"]
        table.add_row(
            escape(row["symbol"]),
            f"{row['rows']:,}",
            row["first"],
            row["last"],
            f"{row['period']} {row['calendar'] or ''}".strip(),
            f"{len(gaps):,}",
            gaps[0] if gaps else "",
            f"{row['quarantined']:,}",
        )
    console.print(table)
    _more(console, len(inspected.symbols))
    total, gaps = sum(r["rows"] for r in inspected.symbols), sum(len(r["gaps"]) for r in inspected.symbols)
    console.print(
        f"{counted(len(inspected.symbols), 'symbol')}, {counted(total, 'bar')}, {counted(gaps, 'bar')} missing between "
        "their first and last dates"
    )
    show_reading(console, inspected.read_as)
    _steps(console, {row["symbol"]: row["steps"] for row in inspected.symbols})
    stale = [(row["symbol"], run) for row in inspected.symbols for run in row["stale"]]
    if stale:
        console.print("\nbars that repeat one price without volume, as of a suspended symbol (kept)")
    for symbol, run in stale[:_SHOWN]:
        console.print(f"[yellow]stale[/yellow] {escape(symbol)} {run}", soft_wrap=True)
    _more(console, len(stale))
    _findings(console, inspected.quarantine, inspected.missing)


def show_preview(previewed: PreviewedBars, as_json: bool) -> None:
    """Print the first bars as understood."""
    if as_json:
        findings = {"missing": previewed.missing, "quarantined": previewed.quarantine.counts()}
        symbols = [{**one, "steps": _plain(one["steps"])} for one in previewed.symbols]
        _print_json({"rows": previewed.rows, "symbols": symbols, **findings, "read_as": list(previewed.read_as)})
        return
    console = Console()
    table = _table("symbol", "date", "open", "high", "low", "close", "volume")
    for row in previewed.rows[:_SHOWN]:
        numbers = [f"{row[name]:,.7g}" for name in ("open", "high", "low", "close", "volume")]
        table.add_row(escape(row["symbol"]), row["date"], *numbers)
    console.print(table)
    _more(console, len(previewed.rows))
    console.print("the first bars of each symbol, as understood; nothing was imported")
    for one in previewed.symbols[:_SHOWN]:
        text = f"{one['symbol']}: {counted(one['rows'], 'bar')}, {one['first']} to {one['last']}"
        console.print(text, highlight=False, markup=False, soft_wrap=True)
    _more(console, len(previewed.symbols))
    show_reading(console, previewed.read_as)
    _steps(console, {one["symbol"]: one["steps"] for one in previewed.symbols})
    _findings(console, previewed.quarantine, previewed.missing)


def show_reading(console: Console, lines: Sequence[str]) -> None:
    """Print how tables were read."""
    for line in lines[:_READ_LINES]:
        console.print(f"  {line}", highlight=False, markup=False, soft_wrap=True)
    if len(lines) > _READ_LINES:
        console.print(f"  … and {len(lines) - _READ_LINES} more lines; --json lists all", highlight=False)


def show_list(lake: Lake, as_json: bool) -> None:
    """Print the symbols of the lake."""
    found = lake.info()
    others = {table: AlternativeLake(lake.store).parts(table) for table in TABLES}
    if as_json:
        rows = [{**asdict(item), "first": str(item.first), "last": str(item.last)} for item in found]
        _print_json({"symbols": rows, "alternative": others})
        return
    console = Console()
    if any(others.values()):
        counts = ", ".join(f"{table} of {counted(len(parts), 'symbol')}" for table, parts in others.items() if parts)
        console.print(f"other data (the market counts as a symbol): {counts}; see fleetcast data inspect --alternative")
    if not found:
        console.print("The lake has no bars. Import some: fleetcast data import PATH")
        return
    table = _table("symbol", "rows", "first", "last", "period", "KiB")
    for item in found:
        span = str(item.first)[:10], str(item.last)[:10]
        table.add_row(escape(item.symbol), f"{item.rows:,}", *span, item.period, f"{item.size / 1024:,.0f}")
    console.print(table)
    console.print(
        f"{counted(len(found), 'symbol')}, {counted(sum(i.rows for i in found), 'bar')}, "
        f"{sum(i.size for i in found) / 2**20:,.1f} MiB"
    )


_NUMERIC = ("added", "revised", "stored", "rows", "gaps", "broken", "KiB", "rebased", *VALUES)
_WHOLE = ("symbol", "date", "first", "last", "first gap", "rule")


def _table(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        side = "right" if name in _NUMERIC else "left"
        table.add_column(name, justify=side, no_wrap=name in _WHOLE, overflow="fold")  # type: ignore[arg-type]
    return table


def _more(console: Console, count: int) -> None:
    if count > _SHOWN:
        console.print(f"… and {count - _SHOWN:,} more; --json lists all")


def _steps(
    console: Console, steps: Mapping[str, Sequence[Step]], seams: Mapping[str, Sequence[Step]] | None = None
) -> None:
    """Print the steps and spikes of each symbol, and which of them are where an import meets the stored bars."""
    found = [(symbol, step) for symbol, some in steps.items() for step in some]
    if found:
        console.print(
            "\nprices that are off by a factor (kept; training and forecasts act on them as data.on_steps says)"
        )
    for symbol, step in found[:_SHOWN]:
        seam = "; here the import meets the stored bars" if step in (seams or {}).get(symbol, ()) else ""
        console.print(f"[yellow]{step.kind}[/yellow] {escape(symbol)} {escape(str(step))}{seam}", soft_wrap=True)
    _more(console, len(found))


def _plain_run(run: StaleRun) -> dict[str, Any]:
    return {"first": str(run.first)[:10], "last": str(run.last)[:10], "bars": run.bars}


def _plain(steps: Sequence[Step]) -> list[dict[str, Any]]:
    return [{**asdict(step), "date": str(step.date)[:19].removesuffix("T00:00:00")} for step in steps]


def _findings(console: Console, quarantine: Quarantine, missing: Mapping[str, str]) -> None:
    if len(quarantine):
        console.print("\nrows that broke a rule (left out, unless the rule says that the bar is kept)")
        table = _table("rule", "rows", "first", "meaning")
        for rule, count in quarantine.counts().items():
            table.add_row(rule, f"{count:,}", escape(quarantine.first_of(rule)), RULES[rule])
        console.print(table)
    for symbol, reason in list(missing.items())[:_SHOWN]:
        console.print(f"[yellow]missing[/yellow] {escape(symbol)}: {escape(reason)}")
    _more(console, len(missing))


def _print_json(document: dict[str, Any]) -> None:
    print(json.dumps(document, indent=1, allow_nan=False))
