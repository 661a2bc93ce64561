"""The table of ``fleetcast jobs``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from cluster.views.console import make_console
from cluster.views.wide_table import WideTable


def show_jobs(jobs: Sequence[dict[str, Any]], as_json: bool) -> None:
    """Print jobs, as :func:`cluster.jobs.job_server.job_facts` returns them, as a table or one JSON document."""
    if as_json:
        print(json.dumps({"jobs": list(jobs)}, allow_nan=False))
        return
    if not jobs:
        print("no jobs of Fleetcast on this cluster")
        return
    rows = [
        [
            job["name"],
            job["status"].lower(),
            "" if job["started"] is None else f"{datetime.fromtimestamp(job['started'], UTC):%Y-%m-%d %H:%M:%S}",
            "" if job["seconds"] is None else f"{job['seconds']} s",
            job["command"],
            job["message"],
        ]
        for job in jobs
    ]
    headings = ["job", "status", "started (UTC)", "took", "command", "message"]
    make_console().print(WideTable(headings, rows, left=("status", "command", "message")))
