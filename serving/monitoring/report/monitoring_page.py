"""The monitoring page: one HTML file that loads nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from serving.monitoring.report import figures, tables
from serving.monitoring.result import KindReport, MonitoringResult
from serving.monitoring.sentences import drift_sentence, quality_sentences, summary, test_sentence
from training.backtesting.report.page import rendered
from training.backtesting.report.tables import Table

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


@dataclass(frozen=True)
class Section:
    """A heading, a chart, sentences and a table; each but the heading may be missing."""

    title: str
    sentences: Sequence[str] = ()
    figure: Figure | None = None
    table: Table | None = None
    is_wide: bool = False


def render(result: MonitoringResult) -> str:
    """Return the page."""
    kinds = [(one.kind, list(_sections(one))) for one in result.kinds]
    return rendered(
        "serving.monitoring.report",
        title="Live forecasts",
        period=f"{result.made_at:%Y-%m-%d %H:%M} UTC; recent: the last {result.recent_days} days with forecasts",
        is_alarm=result.has_alarm,
        verdicts=verdicts(result),
        kinds=kinds,
        figures=[part.figure for _, parts in kinds for part in parts if part.figure is not None],
    )


def verdicts(result: MonitoringResult) -> list[str]:
    """Return the sentences that come first: alarms, or that there is none, and the live skill of each kind."""
    if not result.kinds:
        return ["The journal has no forecast yet. Run fleetcast bot run, or fleetcast serve --journal."]
    alarms = [test_sentence(one, test) for one in result.kinds for test in one.tests if test.alarm is not None]
    found = alarms or [f"No alarm: nothing shows that {' or '.join(one.kind for one in result.kinds)} lost its skill"]
    return [f"{text[:1].upper()}{text[1:]}." for text in (*found, *map(summary, result.kinds))]


def _sections(report: KindReport) -> list[Section]:
    tests = [f"{text[:1].upper()}{text[1:]}." for text in (test_sentence(report, one) for one in report.tests)]
    supply = [f"{text[:1].upper()}{text[1:]}." for text in quality_sentences(report)]
    drifted = drift_sentence(report)
    return [
        Section("Live skill next to baselines", (), None, tables.scores(report), is_wide=True),
        Section("Could it be luck?", tests, figures.evidence(report), tables.tests(report), is_wide=True),
        Section("What was promised", (), None, tables.promises(report)),
        Section("Versions", (), None, tables.versions(report)),
        Section("Calibration", ["Vertical lines: 95 % intervals, clustered by day."], figures.calibration(report)),
        Section(
            "Control chart of losses",
            [
                "Sums of standardised losses above the test's. A signal comes early and without a promise: losses are "
                "neither normal nor independent."
            ],
            figures.watch(report),
        ),
        Section("Feature drift", [f"{drifted[:1].upper()}{drifted[1:]}."], None, tables.drift(report)),
        Section("Supply of forecasts", supply, None, tables.quality(report)),
    ]
