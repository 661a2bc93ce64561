"""``fleetcast doctor``: what is wrong here, and what to do about it."""

from __future__ import annotations

from typing import Annotated

import typer


def doctor(
    store: Annotated[str, typer.Option(envvar="FLEETCAST_STORE", help="Folder, or s3:// or gs:// URI.")] = ".fleetcast",
    address: Annotated[str | None, typer.Option(help="A running Ray cluster, host:port.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
) -> None:
    """Check the store, its models and bars, and every node's versions and devices; exit 1 if there is a problem."""
    import json
    from dataclasses import asdict

    from cluster.doctor import examined

    found = []
    marks = {"ok": "ok     ", "warning": "warning", "problem": "PROBLEM"}
    for one in examined(store, address):
        found.append(one)
        if not as_json:
            print(
                f"{marks[one.state]}  {one.check}: {one.found}" + (f"\n         → {one.remedy}" if one.remedy else "")
            )
    if as_json:
        print(json.dumps({"findings": [asdict(one) for one in found]}))
    raise typer.Exit(any(one.state == "problem" for one in found))
