"""The output of ``fleetcast data`` for alternative data: tables, or one JSON document."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape

from cluster.alternative_data import ImportedRows
from cluster.views.wide_table import WideTable
from configs.errors import shortened
from configs.words import counted
from features.alternative.quarantine import RULES, RefusedRows

_SHOWN = 30
_COLUMNS = {
    "rows": "rows",
    "first": "first",
    "last": "last",
    "median_lag_days": "lag",
    "most_vintages": "vint.",
    "longest_gap_days": "gap",
    "age_days": "age",
}

_MARKS = {
    "stopped": "stopped, no new row for twice the longest usual distance:",
    "revised_values": "without publication times, revised values:",
}


def show_imported_rows(imported: ImportedRows, as_json: bool) -> None:
    """Print what an import of alternative data changed."""
    if as_json:
        counts: dict[str, Any] = {
            "added": imported.added,
            "stored": imported.stored,
            "refused": imported.refused.counts(),
            "refused_in": imported.refused_in,
        }
        findings = {"without_bars": imported.without_bars, "missing": dict(imported.missing)}
        print(json.dumps({**counts, "read_as": imported.lines, **findings}, indent=1))
        return
    console = Console()
    for table, added in imported.added.items():
        stored = f"{imported.stored.get(table, 0):,} stored of the same symbols"
        console.print(f"{table}: {counted(added, 'row')} added, {stored} in {escape(imported.store)}", soft_wrap=True)
    for line in imported.lines:
        console.print(f"  {line}", highlight=False, markup=False, soft_wrap=True)
    if imported.without_bars:
        names = escape(shortened(imported.without_bars))
        console.print(f"[yellow]symbols without bars in the lake:[/yellow] {names}", soft_wrap=True)
    for name, reason in list(imported.missing.items())[:_SHOWN]:
        console.print(f"[yellow]missing[/yellow] {escape(name)}: {escape(reason)}", soft_wrap=True)
    if len(imported.missing) > _SHOWN:
        console.print(f"… and {len(imported.missing) - _SHOWN:,} more; --json lists all")
    show_refused(console, imported.refused, imported.refused_in)


def show_inspected_rows(
    rows: Sequence[dict[str, Any]], refused: RefusedRows, folder: str, as_json: bool, *, list_refused: bool = False
) -> None:
    """Print coverage, lags, vintages and gaps, how many rows were refused, and these rows if asked for.

    ``folder`` is the place of the files of refused rows.
    """
    if as_json:
        document: dict[str, Any] = {"rows": list(rows), "refused": refused.counts(), "refused_in": folder}
        if list_refused:
            document["refused_rows"] = refused.frame.to_dict("records")
        print(json.dumps(document, indent=1))
        return
    console = Console()
    if not rows:
        console.print("The lake has no alternative data. Add some: fleetcast data import --kind macro FILE")
    cells = [
        [
            f"{row['symbol'] or '(market)'} {row['name']}",
            *(f"{row[key]:,}" if isinstance(row[key], int | float) else row[key] for key in _COLUMNS),
            shortened(row["sources"], 3),
        ]
        for row in rows[:_SHOWN]
    ]
    if rows:
        console.print(WideTable(["symbol, series", *_COLUMNS.values(), "sources"], cells, left=("sources",)))
        console.print("lag (median), gap (longest) and age of the newest row in days")
    if len(rows) > _SHOWN:
        console.print(f"… and {len(rows) - _SHOWN:,} more; name symbols to see theirs, or --json lists all")
    for mark, meaning in _MARKS.items():
        found = [f"{row['symbol']} {row['name']}".strip() for row in rows if row[mark]]
        if found:
            console.print(f"[yellow]{meaning}[/yellow] {escape(shortened(found))}", soft_wrap=True)
    show_refused(console, refused, folder)
    if list_refused:
        for row in refused.frame.itertuples(index=False):
            text = f"{row.table} of {row.source}, {row.rule}: {row.row}"
            console.print(text, highlight=False, markup=False, soft_wrap=True)


def show_refused(console: Console, refused: RefusedRows, folder: str) -> None:
    """Print how many rows break which rule, and where they are."""
    for rule, count in refused.counts().items():
        console.print(f"[yellow]refused[/yellow] {counted(count, 'row')}: {RULES[rule]} ({rule})", soft_wrap=True)
    if len(refused):
        tables = ", ".join(f"{table}.parquet" for table in sorted(set(refused.frame["table"])))
        how = "fleetcast data inspect --alternative --refused lists them"
        console.print(f"refused rows are in {folder}/ ({tables}); {how}", highlight=False, markup=False, soft_wrap=True)
