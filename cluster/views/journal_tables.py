"""The output of ``fleetcast journal``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cluster.views.console import make_console
from cluster.views.wide_table import WideTable
from configs.words import counted


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
    counts = ("symbols", "predictions", "outcomes", "served")
    lines = [
        [
            f"{row['version']}{' (shadow)' if row['is_shadow'] else ''}",
            row["kind"],
            *(f"{row[name]:,}" for name in counts),
            row["first"][:10],
            row["last"][:10],
        ]
        for row in found["predictions"]
    ]
    headings = ["version", "kind", *counts, "first bar", "last bar"]
    print()
    console.print(WideTable(headings, lines, left=["kind"]))


def show_counts(counts: Mapping[str, int], done: str, as_json: bool) -> None:
    """Print rows by table and what was done with them, or one JSON document."""
    if as_json:
        print(json.dumps({"rows": dict(counts)}))
        return
    some = {name: count for name, count in counts.items() if count}
    text = ", ".join(f"{name} {count:,}" for name, count in some.items())
    print(f"{counted(sum(some.values()), 'row')} {done}" + (f": {text}" if text else ""))
