"""``fleetcast doctor``: problems of a store and a cluster, with remedies."""

from __future__ import annotations

import typer

from cluster.options.common_options import Address, AsJson, StorePath


def doctor(
    store: StorePath = ".fleetcast",
    address: Address = None,
    as_json: AsJson = False,
) -> None:
    """Check the store, its models and bars, and every node's versions and devices; exit 1 if there is a problem."""
    import json
    from contextlib import nullcontext
    from dataclasses import asdict

    from cluster.doctor import check_installation
    from cluster.views.console import stdout_reserved_for_json

    findings = []
    marks = {"ok": "ok     ", "warning": "warning", "problem": "PROBLEM"}
    with stdout_reserved_for_json() if as_json else nullcontext():
        for finding in check_installation(store, address):
            findings.append(finding)
            if not as_json:
                print(f"{marks[finding.state]}  {finding.check}: {finding.found}")
                if finding.remedy:
                    print(f"         → {finding.remedy}")
    if as_json:
        print(json.dumps({"findings": [asdict(finding) for finding in findings]}))
    raise typer.Exit(any(finding.state == "problem" for finding in findings))
