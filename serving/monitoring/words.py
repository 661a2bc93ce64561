"""Monitoring's result in words and tables of text, as JSON, for pages that have no rules of their own to say it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from configs.values import Kind
from serving.monitoring.report.tables import scores
from serving.monitoring.result import KindReport, MonitoringResult
from serving.monitoring.sentences import quality_sentences, summary, test_sentence


def in_words(result: MonitoringResult) -> dict[Kind, dict[str, Any]]:
    """Return by kind: ``summary``, ``tests`` by name, ``supply`` and, with an outcome, the table ``scores``."""
    return {one.kind: _words(one) for one in result.kinds}


def _words(report: KindReport) -> dict[str, Any]:
    return {
        "summary": summary(report),
        "tests": {test.name: test_sentence(report, test) for test in report.tests},
        "supply": list(quality_sentences(report)),
        "scores": asdict(scores(report)) if report.scores.get("days") else None,
    }
