"""What monitoring found, in words: the same on the console, on the page and in alerts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from configs.values import Kind
from configs.words import counted, signed
from serving.monitoring.forecast_rows import LOSS
from serving.monitoring.kind_tests import Raised
from serving.monitoring.result import KindReport, MonitoringResult, TestState
from training.metrics.comparison import MetricSummary
from training.tasks import task_of


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to report: the event, what it is about, since when, and in words."""

    event: str
    key: str
    occurrence: str
    title: str
    body: str
    data: dict[str, Any]


def baseline_title(kind: Kind, name: str) -> str:
    """Return a baseline's name in sentences."""
    return dict(task_of(kind).layout.references).get(name, name)


def test_title(report: KindReport, test: str) -> str:
    """Return what an alarm of a test says, as a clause."""
    inside, _ = task_of(report.kind).layout.coverage
    titles = {
        "worse": f"forecasts are worse than {baseline_title(report.kind, report.baseline)}",
        "faded": "forecasts have less skill than at the test",
        "coverage": f"outcomes miss their {inside} too often",
    }
    return titles[test]


def test_sentence(report: KindReport, test: TestState) -> str:
    """Return the state of a test in a sentence without a full stop."""
    has_shown_skill = any(one.least_realised_share > 0 for one in report.tested.values())
    if test.alarm is None and test.name == "faded" and not has_shown_skill:
        return "whether skill fades is not tested: no version's own test shows skill that is clear of noise"
    if test.alarm is None:
        return (
            f"no sign that {test_title(report, test.name)} (evidence {test.evidence:.2g}, alarm at {test.threshold:g})"
        )
    return _alarm(report, test.name, test.alarm, test.false_alarm_rate)


def summary(report: KindReport) -> str:
    """Return the live skill next to the baseline in a sentence without a full stop."""
    found, loss = MetricSummary(report.scores), LOSS[report.kind]
    days = int(report.scores.get("days", 0))
    if not days and report.quality.too_late:
        return f"{report.kind}: no forecast that was made before its outcome has one yet"
    if not days:
        return f"{report.kind}: no outcome is known yet"
    name = baseline_title(report.kind, report.baseline)
    gap, title = found.difference(loss, report.baseline), task_of(report.kind).loss_title
    if not gap.is_known:
        return f"{report.kind}: {counted(days, 'day')} with outcomes, too few to compare with {name}"
    clear = abs(gap.value) > 1.96 * gap.se
    than = f"{'lower' if gap.value < 0 else 'higher'} than" if clear else "not distinguishable from"
    figures = f"difference {signed(gap.value)}, standard error {gap.se:.4f}"
    live = f"{report.kind}: live {title} {found.model(loss).value:.4f} over {counted(days, 'day')}"
    return f"{live}, {than} {name}'s ({figures})"


def findings(result: MonitoringResult) -> list[Finding]:
    """Return what is to be reported: an event ``skill`` for each alarm, ``drift`` for each kind whose features differ.

    Their keys and occurrences stay the same for as long as they last.
    """
    out = []
    for report in result.kinds:
        for test in report.tests:
            if test.alarm is None:
                continue
            title = f"{report.kind}: {test_title(report, test.name)}"
            body = f"{_alarm(report, test.name, test.alarm, test.false_alarm_rate)}.\n{summary(report)}."
            data = {"kind": report.kind, "test": test.name, "version": report.version, "evidence": test.alarm.evidence}
            out.append(Finding("skill", f"{report.kind}/{test.name}", test.alarm.date, title, body, data))
        if report.has_drifted:
            names = [one.name for one in report.drift if one.is_drifted]
            title = f"{report.kind}: features differ from those of the training"
            data = {"kind": report.kind, "version": report.version, "features": names[:20]}
            out.append(Finding("drift", report.kind, report.version, title, drift_sentence(report) + ".", data))
    return out


def drift_sentence(report: KindReport) -> str:
    """Return which features differ from training in a sentence without a full stop."""
    if not report.drift:
        return f"feature drift is not known: {report.no_drift}"
    periods = counted(report.drift[0].periods, "earlier period")
    chance = f"probability by chance {report.drift_chance:.2g}, from {periods}"
    if not report.has_drifted:
        return f"features differ from training no more than in earlier periods ({chance})"
    names = [one.name for one in report.drift if one.is_drifted]
    most = f"; most of all {', '.join(names[:5])}{', …' if len(names) > 5 else ''}" if names else ""
    return f"features differ from training ({chance}){most}. This explains a loss of skill; it does not show one"


def quality_sentences(report: KindReport) -> Sequence[str]:
    """Return what is wrong with the supply of forecasts and outcomes, or else that nothing is; and what stopped."""
    found, out = report.quality, []
    if found.behind_count:
        names = ", ".join(found.behind[:5]) + (", …" if found.behind_count > 5 else "")
        verb = "has" if found.behind_count == 1 else "have"
        out.append(f"{counted(found.behind_count, 'symbol')} {verb} no forecast of the newest bar: {names}")
    if found.overdue:
        out.append(
            f"{counted(found.overdue, 'outcome')} should be known and {'is' if found.overdue == 1 else 'are'} not"
        )
    if found.too_late:
        out.append(f"{counted(found.too_late, 'forecast')} made after the outcome are not counted")
    if found.fallback > 0:
        out.append(f"{found.fallback:.1%} of recent forecasts are a baseline's")
    supplied = out or ["every symbol has a forecast of the newest bar, and no outcome is overdue"]
    return [*supplied, *map(str, report.stopped)]


def _alarm(report: KindReport, test: str, alarm: Raised, rate: float) -> str:
    return (
        f"ALARM: {test_title(report, test)} since {alarm.date[:10]}, after {counted(alarm.steps, 'bar')} "
        f"(evidence {alarm.evidence:.3g}; by chance such an alarm is raised with a probability of at most {rate:.2%})"
    )
