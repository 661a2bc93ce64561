"""Judge the journal's forecasts by their outcomes: go on with the sequential tests, and compute today's figures."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import pandas as pd
from sqlalchemy import Connection

from configs.monitoring import MonitoringConfig
from configs.values import Kind
from serving.journal import Journal
from serving.journal.types import aware
from serving.monitoring.calibrated import calibration_bins
from serving.monitoring.evaluations import kinds_of, newest_bar, read_evaluations
from serving.monitoring.expected import expected_skill
from serving.monitoring.feature_drift import Drift
from serving.monitoring.forecast_rows import BASELINE
from serving.monitoring.kind_tests import SHARES, KindState, advance, threshold, watch_limit
from serving.monitoring.live_skill import live_scores, realised_share
from serving.monitoring.quality import quality_of
from serving.monitoring.result import DayFigures, KindReport, MonitoringResult, TestState, Watch
from serving.monitoring.states import (
    read_history,
    read_state,
    read_tested,
    state_name,
    write_states,
    write_tested,
)
from serving.monitoring.steps import complete_steps, counted_rows, wait_of
from serving.monitoring.tested import TestedSkill, tested_skill
from serving.monitoring.version_features import VersionFeatures, features_or_reason
from training.registry.manager import ModelManager

Guard = Callable[[Connection], None]
_NO_DRIFT, _NOT_ASKED = Drift([], float("nan")), "it was not asked for"


class Monitor:
    """Judges live forecasts.

    Parameters
    ----------
    journal
        Where forecasts, outcomes and the states of tests are.
    manager
        The registry, for the test figures of versions and their features; None: neither is known.
    config
        The settings.
    """

    def __init__(
        self, journal: Journal, manager: ModelManager | None = None, config: MonitoringConfig | None = None
    ) -> None:
        self.journal, self.manager, self.config = journal, manager, config or MonitoringConfig()

    def update(self, now: datetime | None = None, *, guard: Guard | None = None) -> list[KindState]:
        """Advance the tests by all days whose outcomes are complete, store their states, and return them.

        It reads only what tests have not counted yet. Running it again, or later, gives the same states.

        Parameters
        ----------
        now
            The time, aware; by default the present.
        guard
            Called in each write transaction, such as :meth:`serving.journal.leases.Lease.guard`.
        """
        moment = aware(now or datetime.now(UTC))
        with self.journal.connect() as connection:
            kinds = kinds_of(connection)
        return [self._updated(kind, horizon, moment, guard) for kind, horizon in kinds]

    def run(
        self, now: datetime | None = None, *, store: bool = True, drift: bool = False, guard: Guard | None = None
    ) -> MonitoringResult:
        """Return all figures at a time.

        Parameters
        ----------
        now
            The time, aware; by default the present.
        store
            Whether the states of tests are written; otherwise they are computed and forgotten.
        drift
            Whether features are compared with those of the training period, and alternative data that have stopped
            are found, which reads bars and these data.
        guard
            As for :meth:`update`.

        Raises
        ------
        DatabaseError
            The journal cannot be read or written.
        """
        moment = aware(now or datetime.now(UTC))
        if store:
            self.update(moment, guard=guard)
        with self.journal.connect() as connection:
            kinds = tuple(
                self._report(connection, kind, horizon, moment, drift) for kind, horizon in kinds_of(connection)
            )
        return MonitoringResult(moment, self.config.recent_days, kinds)

    def _updated(self, kind: Kind, horizon: int, now: datetime, guard: Guard | None) -> KindState:
        name = state_name(kind, horizon)
        with self.journal.connect() as connection:
            before = read_state(connection, name, horizon, self.config)
            frame = read_evaluations(connection, kind, horizon, since=_after(before))
            known = read_tested(connection, kind)
        tested = self._tested(kind, horizon, frame, known)
        new = {version: one for version, one in tested.items() if version not in known}
        with self.journal.begin() as connection:
            if guard is not None:
                guard(connection)
            state = read_state(connection, name, horizon, self.config)
            steps = complete_steps(kind, frame, tested, self.config, now, state.last)
            states = advance(state, steps, tested, self.config)
            write_states(connection, name, states, self.config)
            for version, one in new.items():
                write_tested(connection, kind, version, one)
        return states[-1] if states else state

    def _tested(
        self, kind: Kind, horizon: int, frame: pd.DataFrame, known: dict[str, TestedSkill]
    ) -> dict[str, TestedSkill]:
        found = dict(known)
        for version in frame["version"].unique() if self.manager is not None else ():
            if version not in found and self.manager is not None:
                found[version] = tested_skill(self.manager, kind, version, horizon, self.config.outlier)
        return found

    def _report(self, connection: Connection, kind: Kind, horizon: int, now: datetime, with_drift: bool) -> KindReport:
        config, name = self.config, state_name(kind, horizon)
        state = read_state(connection, name, horizon, config)
        newest = min(now, newest_bar(connection, kind, horizon) or now)
        first = newest - timedelta(days=config.skill_days) - wait_of(horizon, config)
        frame = read_evaluations(connection, kind, horizon, since=min(filter(None, (first, _after(state)))))
        tested = self._tested(kind, horizon, frame, read_tested(connection, kind))
        history = [DayFigures(*one) for one in read_history(connection, name)]
        states = advance(state, complete_steps(kind, frame, tested, config, now, state.last), tested, config)
        history += [DayFigures(date.fromisoformat(one.last[:10]), one.evidence(config), one.sums) for one in states]
        state = states[-1] if states else state
        rows = counted_rows(kind, frame, now)
        judged = rows[rows["is_known"].to_numpy()]
        border = _recent_from(frame, config.recent_days)
        version = str(rows["version"].iloc[-1]) if len(rows) else str(frame["version"].iloc[-1])
        found = self._features(kind, version, frame) if with_drift else VersionFeatures(_NO_DRIFT, (), _NOT_ASKED)
        levels = rows["level"].dropna()
        covered = {one: 1.0 - skill.missed.value for one, skill in tested.items()}
        return KindReport(
            kind=kind,
            horizon=horizon,
            version=version,
            baseline=BASELINE[kind],
            since=state.since,
            last=state.last,
            steps=state.steps,
            missing=state.missing,
            tests=self._tests(state),
            watch=Watch(state.sums, watch_limit(horizon, config, tested.get(version)), config.watch_years, state.watch),
            history=history,
            scores=live_scores(kind, judged, horizon),
            recent=live_scores(kind, judged[judged["bar_date"] >= _recent_from(judged, config.recent_days)], horizon),
            by_version={
                str(one): live_scores(kind, part, horizon) for one, part in judged.groupby("version", sort=True)
            },
            level=float(levels.iloc[-1]) if len(levels) else float("nan"),
            realised_share=realised_share(kind, judged, horizon),
            tested={one: tested[one] for one in sorted(set(map(str, rows["version"]))) if one in tested},
            expected=expected_skill(kind, rows[rows["bar_date"] >= border], covered),
            expected_before=expected_skill(kind, rows[rows["bar_date"] < border], covered),
            calibration=calibration_bins(kind, judged, horizon),
            drift=found.drift.features,
            drift_chance=found.drift.chance,
            has_drifted=found.drift.chance <= config.drift_false_rate,
            no_drift=found.reason,
            stopped=found.stopped,
            quality=quality_of(kind, frame, frame[frame["bar_date"] >= border], horizon, config, now),
        )

    def _tests(self, state: KindState) -> list[TestState]:
        evidence = state.evidence(self.config)
        return [
            TestState(
                name,
                evidence[name],
                state.peak.get(name, evidence[name]),
                threshold(name, self.config),
                self.config.false_alarm_rate * share,
                state.alarms.get(name),
            )
            for name, share in SHARES.items()
        ]

    def _features(self, kind: Kind, version: str, frame: pd.DataFrame) -> VersionFeatures:
        if self.manager is None:
            return VersionFeatures(_NO_DRIFT, (), "there is no registry to read the version from")
        newest = frame[~frame["is_shadow"].astype(bool)].groupby("symbol")["bar_date"].max()
        dates = {str(symbol): date.to_datetime64() for symbol, date in newest.items()}
        return features_or_reason(self.manager, kind, version, dates, self.config)


def _after(state: KindState) -> datetime | None:
    """Return the day from which rows may be new to the tests; None for all."""
    return datetime.combine(date.fromisoformat(state.last[:10]), time(), UTC) if state.last else None


def _recent_from(frame: pd.DataFrame, recent_days: int) -> pd.Timestamp:
    """Return the first of the last ``recent_days`` days with rows."""
    days = np.unique(frame["bar_date"].dt.normalize())
    return pd.Timestamp(days[max(len(days) - recent_days, 0)]) if len(days) else pd.Timestamp.max
