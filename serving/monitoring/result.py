"""What monitoring found, as values and as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from configs.values import Kind
from features.alternative.stopped import StoppedSource
from serving.monitoring.calibrated import CalibrationBin
from serving.monitoring.expected import ExpectedSkill
from serving.monitoring.feature_drift import FeatureDrift
from serving.monitoring.kind_tests import Raised
from serving.monitoring.quality import Quality
from serving.monitoring.tested import TestedSkill
from training.metrics.comparison import Comparison

Scores = Mapping[str, float]

_KEYS = {"realised_share": "kept"}  # where JSON has another name


@dataclass(frozen=True, slots=True)
class TestState:
    """A sequential test: its evidence now and at most, from which it alarms, and its alarm if there is one."""

    __test__ = False

    name: str
    evidence: float
    peak: float
    threshold: float
    false_alarm_rate: float
    alarm: Raised | None


@dataclass(frozen=True, slots=True)
class Watch:
    """The control chart of losses: its value, the limit, the mean years between false signals, and the last signal."""

    value: float
    limit: float
    years: float
    signal: str


@dataclass(frozen=True, slots=True)
class DayFigures:
    """A day of the charts: the evidence of each test, and the control chart's value."""

    day: date
    evidence: Mapping[str, float]
    watch: float


@dataclass(frozen=True, slots=True)
class KindReport:
    """Everything about the live forecasts of a kind.

    Attributes
    ----------
    kind, horizon, version, baseline
        What is forecast how many bars ahead, the version of the newest forecasts, and the baseline of the tests.
    since, last, steps, missing
        First and last date that tests have counted, how many, and how many forecasts never got an outcome in time.
    tests, watch, history
        The sequential tests, the control chart, and both by day.
    scores, recent, by_version
        Metrics with errors clustered by day: of all forecasts that were read, of recent days, and of each version.
    level
        The share of outcomes that label sets or intervals should contain.
    realised_share
        Share of the claimed gain on the baseline that came true.
    tested
        What the test of each version promised.
    expected, expected_before
        What recent forecasts, and those before, expect of themselves.
    calibration
        Forecasts and frequencies.
    drift, no_drift
        Features next to those of the training, or why they are not known.
    drift_chance, has_drifted
        Probability of such a difference of all features by chance, and whether it is at most
        ``monitoring.drift_false_rate``.
    stopped
        Alternative data that the version reads and that had stopped at the newest bars.
    quality
        Whether forecasts arrive, on time and from good data.
    """

    kind: Kind
    horizon: int
    version: str
    baseline: str
    since: str
    last: str
    steps: int
    missing: int
    tests: Sequence[TestState]
    watch: Watch
    history: Sequence[DayFigures]
    scores: Scores
    recent: Scores
    by_version: Mapping[str, Scores]
    level: float
    realised_share: Comparison
    tested: Mapping[str, TestedSkill]
    expected: ExpectedSkill
    expected_before: ExpectedSkill
    calibration: Sequence[CalibrationBin]
    drift: Sequence[FeatureDrift]
    no_drift: str
    drift_chance: float
    has_drifted: bool
    stopped: Sequence[StoppedSource]
    quality: Quality

    @property
    def alarms(self) -> dict[str, Raised]:
        """The alarms that are raised, by test."""
        return {one.name: one.alarm for one in self.tests if one.alarm is not None}


@dataclass(frozen=True, slots=True)
class MonitoringResult:
    """The state of all kinds at a time; empty before the first forecast is journaled."""

    made_at: datetime
    recent_days: int
    kinds: tuple[KindReport, ...]

    @property
    def has_alarm(self) -> bool:
        """Whether any test has an alarm."""
        return any(one.alarms for one in self.kinds)

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON; null where a figure is not known."""
        return {
            "made_at": self.made_at.isoformat(),
            "recent_days": self.recent_days,
            "alarm": self.has_alarm,
            "kinds": {one.kind: _plain(_with_names(one)) for one in self.kinds},
        }


def _with_names(report: KindReport) -> dict[str, Any]:
    found = {_KEYS.get(name, name): getattr(report, name) for name in KindReport.__slots__}
    pairs = {name: found[name]._asdict() for name in ("kept", "expected", "expected_before")}
    rows = {name: [one._asdict() for one in found[name]] for name in ("calibration", "drift")}
    tested = {version: one.to_json() for version, one in report.tested.items()}
    plain = {name: [asdict(one) for one in found[name]] for name in ("tests", "history", "stopped")}
    return {**found, **pairs, **rows, **plain, "tested": tested, "watch": asdict(report.watch)} | {
        "quality": asdict(report.quality)
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value.isoformat() if isinstance(value, (date, datetime)) else value
