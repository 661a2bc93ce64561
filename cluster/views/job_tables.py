"""What ``fleetcast jobs`` shows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from cluster.views.console import make_console
from cluster.views.wide_table import WideTable


def show_jobs(found: Sequence[dict[str, Any]], as_json: bool) -> None:
    """Print a table of jobs as :func:`cluster.jobs.job_server.job_facts` describes them, or one JSON document."""
    if as_json:
        print(json.dumps({"jobs": list(found)}, allow_nan=False))
        return
    if not found:
        print("no jobs of Fleetcast on this cluster")
        return
    rows = [
        [
            one["name"],
            one["status"].lower(),
            "" if one["started"] is None else f"{datetime.fromtimestamp(one['started'], UTC):%Y-%m-%d %H:%M:%S}",
            "" if one["seconds"] is None else f"{one['seconds']} s",
            one["command"],
            one["message"],
        ]
        for one in found
    ]
    headings = ["job", "status", "started (UTC)", "took", "command", "message"]
    make_console().print(WideTable(headings, rows, left=("status", "command", "message")))
