"""The sequential tests of a kind of models: what each null hypothesis says, its share of false alarms, its state.

- ``worse``: the loss is in expectation at most the baseline's. An alarm: the baseline would have been better.
- ``faded``: of the gain that forecasts claim over the baseline, at least the share that the version's test showed (less
  two standard errors) comes true. An alarm: forecasts still differ from the baseline but no longer for a reason.
- ``coverage``: outcomes miss their label sets or intervals at most as often as at the test (plus two standard errors),
  or as promised (plus ``monitoring.miss_tolerance``). An alarm: intervals are too narrow.

The tests follow the kind, not a version: weekly retraining must not reset them before they can see anything. The first
two standard errors of luck aside, each alarm is false with at most its share of ``monitoring.false_alarm_rate``, for
ever. After an alarm tests begin again with the first date on which another version forecasts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from configs.monitoring import MonitoringConfig
from serving.monitoring.cusum import limit_of, next_sum
from serving.monitoring.e_process import Betting
from serving.monitoring.steps import Step
from serving.monitoring.streams import CLIP, Streams
from serving.monitoring.tested import TestedSkill

SHARES: Mapping[str, float] = {"worse": 0.5, "faded": 0.25, "coverage": 0.25}
"""The share of false alarms of each test."""
_CLIPS: Mapping[str, float | None] = {"worse": CLIP, "faded": CLIP, "coverage": None}


@dataclass(frozen=True, slots=True)
class Raised:
    """An alarm: the date of the step that raised it, how many steps that took, and the evidence then."""

    date: str
    steps: int
    evidence: float


@dataclass(frozen=True)
class KindState:
    """The state of the tests of a kind after a step.

    ``since`` and ``last`` are the dates of the first and last step, ``alarms`` those raised since, ``peak`` the largest
    evidence so far, and ``epoch`` counts restarts. ``sums`` and ``pending`` are the control chart's value and the
    losses of its unfinished block; ``watch`` is the date of its last signal.
    """

    horizon: int
    tests: Mapping[str, Streams]
    alarms: Mapping[str, Raised] = field(default_factory=dict)
    peak: Mapping[str, float] = field(default_factory=dict)
    since: str = ""
    last: str = ""
    steps: int = 0
    missing: int = 0
    epoch: int = 0
    versions: tuple[str, ...] = ()
    sums: float = 0.0
    pending: tuple[float, ...] = ()
    watch: str = ""

    @classmethod
    def initial(cls, horizon: int, config: MonitoringConfig) -> KindState:
        """Return the state before the first step."""
        betting = betting_of(horizon, config)
        return cls(horizon, {name: Streams.initial(horizon, betting, _CLIPS[name]) for name in SHARES})

    def evidence(self, config: MonitoringConfig) -> dict[str, float]:
        """Return the evidence of each test."""
        betting = betting_of(self.horizon, config)
        return {name: streams.evidence(betting) for name, streams in self.tests.items()}

    def to_json(self) -> dict[str, Any]:
        """Return the state as JSON."""
        plain = {name: value for name, value in vars(self).items() if name not in ("tests", "alarms")}
        tests = {name: streams.to_json() for name, streams in self.tests.items()}
        return plain | {"tests": tests, "alarms": {name: asdict(one) for name, one in self.alarms.items()}}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> KindState:
        """Invert :meth:`to_json`."""
        return cls(
            **{
                **value,
                "tests": {name: Streams.from_json(one) for name, one in value["tests"].items()},
                "alarms": {name: Raised(**one) for name, one in value["alarms"].items()},
                "versions": tuple(value["versions"]),
                "pending": tuple(value["pending"]),
            }
        )


def betting_of(horizon: int, config: MonitoringConfig) -> Betting:
    """Return how evidence is gathered in each of ``horizon`` streams."""
    return Betting(change_steps=max(config.change_days / horizon, 1.0))


def threshold(test: str, config: MonitoringConfig) -> float:
    """Return the evidence from which a test alarms."""
    return 1.0 / (config.false_alarm_rate * SHARES[test])


def watch_limit(horizon: int, config: MonitoringConfig, tested: TestedSkill | None) -> float:
    """Return the value from which the control chart signals, given what the version's test says of a year."""
    return limit_of(config.watch_years * (tested or TestedSkill.unknown()).steps_per_year / horizon)


def advance(
    state: KindState, steps: Sequence[Step], tested: Mapping[str, TestedSkill], config: MonitoringConfig
) -> list[KindState]:
    """Return the state after each step; steps that are not later than the last one change nothing."""
    out = []
    for step in steps:
        if state.last and step.start <= state.last:
            continue
        state = _after(state, step, tested, config)
        out.append(state)
    return out


def _after(state: KindState, step: Step, tested: Mapping[str, TestedSkill], config: MonitoringConfig) -> KindState:
    if state.alarms and step.version not in state.versions:
        state = replace(KindState.initial(state.horizon, config), epoch=state.epoch + 1)
    betting = betting_of(state.horizon, config)
    tests = {
        name: streams.after(step.start, step.end, step.gaps[name], betting) if name in step.gaps else streams
        for name, streams in state.tests.items()
    }
    steps = state.steps + 1
    evidence = {name: streams.evidence(betting) for name, streams in tests.items()}
    new = {
        name: Raised(step.start, steps, value)
        for name, value in evidence.items()
        if value >= threshold(name, config) and name not in state.alarms
    }
    skill = tested.get(step.version)
    sums, pending = _charted(state, step, skill)
    versions = state.versions if state.alarms or step.version in state.versions else (*state.versions, step.version)
    return replace(
        state,
        tests=tests,
        alarms={**state.alarms, **new},
        peak={name: max(value, state.peak.get(name, 0.0)) for name, value in evidence.items()},
        since=state.since or step.start,
        last=step.start,
        steps=steps,
        missing=state.missing + step.missing,
        versions=versions,
        sums=sums,
        pending=pending,
        watch=step.start if sums >= watch_limit(state.horizon, config, skill) else state.watch,
    )


def _charted(state: KindState, step: Step, tested: TestedSkill | None) -> tuple[float, tuple[float, ...]]:
    """Return the control chart's value and unfinished block: losses less the test's, in its standard deviations."""
    if tested is None or not tested.deviation > 0.0 or not math.isfinite(step.loss):
        return state.sums, state.pending
    pending = (*state.pending, (step.loss - tested.mean) / tested.deviation)
    if len(pending) < state.horizon:
        return state.sums, pending
    return next_sum(state.sums, sum(pending) / len(pending)), ()
