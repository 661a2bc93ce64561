"""Tables of the monitoring page: rows of text."""

from __future__ import annotations

import math
from collections.abc import Mapping

from serving.monitoring.forecast_rows import JUDGED_KINDS
from serving.monitoring.result import KindReport
from serving.monitoring.sentences import baseline_title, test_title
from training.backtesting.report.numbers import UNKNOWN, number, percent, with_error
from training.backtesting.report.tables import Table
from training.metrics.comparison import Comparison, MetricSummary
from training.tasks import task_of

_MOST_FEATURES = 15
_PLUS_MINUS = "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}"


def tests(report: KindReport) -> Table:
    """Return a row for each sequential test."""
    rows = [
        [
            test_title(report, one.name),
            f"ALARM {one.alarm.date[:10]}" if one.alarm else "none",
            _short(one.evidence),
            _short(one.peak),
            _short(one.threshold),
            percent(one.false_alarm_rate, 2),
        ]
        for one in report.tests
    ]
    watch = f"signal {report.watch.signal[:10]}" if report.watch.signal else "none"
    years = f"once in {report.watch.years:g} years"
    rows.append(
        [
            "losses are above the test's (to be watched)",
            watch,
            number(report.watch.value),
            "",
            number(report.watch.limit),
            years,
        ]
    )
    headings = ["sign that", "alarm", "evidence now", "highest", "alarm at", "false alarms"]
    return Table(headings, rows, "false alarms: highest probability of ever raising one, however often one looks")


def scores(report: KindReport) -> Table:
    """Return a row for the model and each baseline: its live metrics, and the paired difference of the loss."""
    task, found, recent = task_of(report.kind), MetricSummary(report.scores), MetricSummary(report.recent)
    columns = [one for one in task.layout.columns if found.has(one[0]) and one[0] not in task.layout.roots]
    names = found.baselines(task.loss)
    rows = [
        [
            "model",
            *(_figure(found.model(key), factor) for key, _, factor in columns),
            "",
            _figure(recent.model(task.loss), 1.0),
        ]
    ]
    for name in names:
        cells = [_figure(found.baseline(key, name), factor) for key, _, factor in columns]
        gap = with_error(found.difference(task.loss, name))
        rows.append([baseline_title(report.kind, name), *cells, gap, _figure(recent.baseline(task.loss, name), 1.0)])
    days = int(report.scores.get("days", 0))
    caption = f"{days} days with outcomes; ± standard error, clustered by day; difference: model less baseline, paired"
    headings = ["", *(heading for _, heading, _ in columns), "difference", f"{task.loss_title}, recent"]
    return Table(headings, rows, caption)


def promises(report: KindReport) -> Table:
    """Return live figures next to those that the versions' tests and the forecasts themselves promise."""
    found, tested = MetricSummary(report.scores), report.tested.get(report.version)
    level = percent(report.level) if math.isfinite(report.level) else UNKNOWN
    unknown = Comparison(math.nan, math.nan)
    realised, missed = (tested.realised_share, tested.missed) if tested is not None else (unknown, unknown)
    inside, _ = task_of(report.kind).layout.coverage
    coverage = Comparison(1.0 - missed.value, missed.se)
    implied = JUDGED_KINDS[report.kind].implied
    before, now = report.expected_before, report.expected
    rows = [
        [f"outcomes inside {inside}", _share(found.model("coverage")), _share(coverage), level],
        ["share of the claimed gain that came true", _share(report.realised_share), _share(realised), percent(1.0, 0)],
        ["gain that forecasts claim", number(now.gain, 5), number(before.gain, 5), ""],
        [f"{task_of(report.kind).loss_title} that {implied}", number(now.loss, 4), number(before.loss, 4), ""],
    ]
    caption = (
        "claims and expectations are of recent forecasts and of those before, and need no outcome; the share that "
        "comes true shows whether to believe them"
    )
    return Table(["", "live", "at the test, or before", "promised"], rows, caption)


def versions(report: KindReport) -> Table:
    """Return a row for each version: its live loss, and the difference from the baseline."""
    task, rows = task_of(report.kind), []
    for version, values in report.by_version.items():
        found = MetricSummary(values)
        days = f"{int(values.get('days', 0))}"
        gap = with_error(found.difference(task.loss, report.baseline))
        rows.append([version, days, _figure(found.model(task.loss), 1.0), gap])
    title = baseline_title(report.kind, report.baseline)
    return Table(["version", "days", f"live {task.loss_title}", f"less {title}"], rows)


def drift(report: KindReport) -> Table | None:
    """Return the features that differ most from training; None if that is not known."""
    if not report.drift:
        return None
    rows = [
        [
            one.name,
            "yes" if one.is_drifted else "",
            number(one.psi, 3),
            number(one.distance, 3),
            number(one.shift, 2),
            number(one.unusual, 3),
        ]
        for one in report.drift[:_MOST_FEATURES]
    ]
    caption = (
        f"recent days against the training period, of {len(report.drift)} features; chance: how often earlier periods "
        "of the same length differed as much"
    )
    return Table(["feature", "drifted", "PSI", "KS distance", "shift, IQR", "chance"], rows, caption)


def quality(report: KindReport) -> Table:
    """Return whether forecasts arrive."""
    found = report.quality
    facts: Mapping[str, str] = {
        "newest bar": found.newest_bar[:16].replace("T", " ") + " UTC",
        "its age, hours": number(found.age_s / 3600.0, 1),
        "symbols with recent forecasts": str(found.symbols),
        "of these without one of the newest bar": str(found.behind_count),
        "forecasts without an outcome yet": str(found.pending),
        "outcomes overdue": str(found.overdue),
        "forecasts that tests never got an outcome of": str(report.missing),
        "outcomes revised": str(found.revised),
        "share of baseline forecasts": percent(found.fallback),
        "share of symbols that no model was fitted on": percent(found.pooled),
        "seconds from bar to forecast, median": number(found.delay_s, 0),
        "times served": f"{found.served:,}",
    }
    return Table(["what", "value"], [[name, value] for name, value in facts.items()])


def _figure(found: Comparison, factor: float) -> str:
    digits = 1 if factor == 100.0 else 4
    text = number(found.value * factor, digits)
    return f"{text}{_PLUS_MINUS}{number(found.se * factor, digits)}" if found.is_known else text


def _share(found: Comparison) -> str:
    if not math.isfinite(found.value):
        return UNKNOWN
    return (
        f"{percent(found.value)}{_PLUS_MINUS}{number(found.se * 100.0, 1)}" if found.is_known else percent(found.value)
    )


def _short(value: float) -> str:
    """Return a number with few digits; evidence ranges over many powers of ten."""
    return f"{value:,.3g}" if value < 1e6 else f"{value:.0e}"
