"""The output of ``fleetcast journal``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rich.table import Table

from cluster.views.console import make_console


def show_overview(found: Mapping[str, Any], as_json: bool) -> None:
    """Print what :func:`serving.journal.overview.overview` returns: tables, or one JSON document."""
    if as_json:
        print(json.dumps({"journal": found}, allow_nan=False))
        return
    print(f"{found['url']}, tables of version {found['version']}")
    console = make_console()
    rows = {name: count for name, count in found["rows"].items() if count}
    print(", ".join(f"{name} {count:,}" for name, count in rows.items()) or "no rows yet")
    if not found["predictions"]:
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("kind", "version"):
        table.add_column(name, no_wrap=True)
    for name in ("symbols", "predictions", "outcomes", "served"):
        table.add_column(name, justify="right")
    for name in ("first", "last"):
        table.add_column(name, no_wrap=True)
    for row in found["predictions"]:
        counts = (f"{row[name]:,}" for name in ("symbols", "predictions", "outcomes", "served"))
        shadow = " (shadow)" if row["is_shadow"] else ""
        table.add_row(row["kind"], f"{row['version']}{shadow}", *counts, row["first"][:10], row["last"][:10])
    print()
    console.print(table)


def show_counts(counts: Mapping[str, int], done: str, as_json: bool) -> None:
    """Print rows by table and what was done with them, or one JSON document."""
    if as_json:
        print(json.dumps({"rows": dict(counts)}))
        return
    some = {name: count for name, count in counts.items() if count}
    text = ", ".join(f"{name} {count:,}" for name, count in some.items())
    print(f"{sum(some.values()):,} rows {done}" + (f": {text}" if text else ""))
