"""The output of ``fleetcast jobs``: a table of all jobs, and all that is known of one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from cluster.views.console import make_console


def show_jobs(jobs: Sequence[dict[str, Any]], as_json: bool) -> None:
    """Print jobs, as :func:`cluster.jobs.job_server.job_facts` returns them, a line for each, or one JSON document."""
    if as_json:
        print(json.dumps({"jobs": list(jobs)}, allow_nan=False))
        return
    if not jobs:
        print("no jobs of Fleetcast on this cluster")
        return
    console = make_console()
    rows = [(job["name"], job["status"].lower(), _started(job)[:16], _took(job), job["command"]) for job in jobs]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    names = ("job", "status", "started (UTC)", "took", "command")
    for name in names:
        table.add_column(name, no_wrap=True)
    used = sum(max(len(names[i]), *(len(row[i]) for row in rows)) + 2 for i in range(len(names) - 1))
    for *cells, command in rows:
        shown = Text(command)
        shown.truncate(max(console.width - used, len(names[-1])), overflow="ellipsis")
        table.add_row(*map(Text, cells), shown)
    console.print(table)


def show_job(job: dict[str, Any], as_json: bool) -> None:
    """Print all that is known of a job, or one JSON document."""
    if as_json:
        print(json.dumps({"jobs": [job]}, allow_nan=False))
        return
    lines = {
        "job": job["name"],
        "status": job["status"].lower(),
        "started": f"{_started(job)} UTC" if _started(job) else "",
        "took": _took(job),
        "command": job["command"],
        "message": job["message"],
    }
    print(*(f"{name:9}{text}" for name, text in lines.items() if text), sep="\n")


def _started(job: dict[str, Any]) -> str:
    return "" if job["started"] is None else f"{datetime.fromtimestamp(job['started'], UTC):%Y-%m-%d %H:%M:%S}"


def _took(job: dict[str, Any]) -> str:
    return "" if job["seconds"] is None else f"{job['seconds']:,} s"
