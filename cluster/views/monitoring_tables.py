"""The output of ``fleetcast monitor``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cluster.views.console import make_console
from cluster.views.scores_table import scores_table
from cluster.views.wide_table import WideTable
from serving.monitoring.report import tables
from serving.monitoring.report.monitoring_page import verdicts
from serving.monitoring.result import KindReport, MonitoringResult
from serving.monitoring.sentences import drift_sentence, quality_sentences
from training.run.kind_result import KindResult

if TYPE_CHECKING:
    from rich.console import Console

    from training.backtesting.report.tables import Table


def show_monitoring(result: MonitoringResult, as_json: bool) -> None:
    """Print sentences and tables, or one JSON document."""
    if as_json:
        print(json.dumps(result.to_json(), allow_nan=False))
        return
    console = make_console()
    for text in verdicts(result):
        console.print(text, highlight=False, soft_wrap=True, markup=False, style="bold" if "ALARM" in text else None)
    for report in result.kinds:
        _show(console, report)


def _show(console: Console, report: KindReport) -> None:
    days = int(report.scores.get("days", 0))
    console.print(f"\n{report.kind}, {days} days with outcomes", style="bold", highlight=False)
    if days:
        console.print(scores_table(KindResult(report.kind, dict(report.scores))))
    for table in (tables.tests(report), tables.promises(report)):
        console.print()
        console.print(_wide(table))
    for text in (*quality_sentences(report), drift_sentence(report)):
        console.print(f"{report.kind}: {text}", highlight=False, soft_wrap=True, markup=False)


def _wide(table: Table) -> WideTable:
    return WideTable(table.headings, table.rows, caption=table.caption or None)
