"""From rows to the steps of sequential tests: all forecasts of one bar date, when their outcomes are complete.

A step is made once. It counts the outcomes as they were first known, leaves out those that came later than
``late_days`` after they were due, and forecasts that were made after their outcome; so it is the same whenever and in
whatever order outcomes arrive, and revisions do not rewrite evidence.

Symbols of exchanges in several time zones share the step of their session's date.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from configs.monitoring import MonitoringConfig
from configs.values import Kind
from serving.monitoring.forecast_rows import OUTCOME, has_outcome, row_evidence
from serving.monitoring.losses import LossGaps, excess_loss, excess_misses, step_gap
from serving.monitoring.tested import TestedSkill
from training.metrics.ratio import Array

_DAYS_PER_BAR = 2  # of a horizon on a calendar with weekends


@dataclass(frozen=True, slots=True)
class Step:
    """What the forecasts of one date say.

    Attributes
    ----------
    start, end
        The bars' date, and that of the last bar of the latest outcome; ISO, UTC.
    version
        The version of most rows.
    gaps
        By test, the gap of the step (at least −1); a test without data is left out.
    loss
        Mean loss gap of the rows to the baseline; NaN if unknown.
    rows, missing
        Rows with an outcome that counts, and without.
    """

    start: str
    end: str
    version: str
    gaps: Mapping[str, float]
    loss: float
    rows: int
    missing: int


def wait_of(horizon: int, config: MonitoringConfig) -> timedelta:
    """Return how long after its bar a step waits for outcomes."""
    return timedelta(days=config.late_days + _DAYS_PER_BAR * horizon)


def complete_steps(
    kind: Kind,
    frame: pd.DataFrame,
    tested: Mapping[str, TestedSkill],
    config: MonitoringConfig,
    now: datetime,
    after: str = "",
    baseline: str | None = None,
) -> list[Step]:
    """Return the steps later than ``after`` in order, up to the first one that has to wait.

    Parameters
    ----------
    frame
        Rows in the form of :mod:`serving.monitoring.evaluations`: one a symbol, version and bar.
    tested
        What each version's test promises.
    now
        Aware time; outcomes that became known later do not exist yet.
    baseline
        What to compare with, by default the kind's own baseline.
    """
    rows = counted_rows(kind, frame, now)
    rows = rows[rows["bar_date"] > (pd.Timestamp(after) if after else pd.Timestamp.min)]
    if rows.empty:
        return []
    rows = rows.sort_values(["bar_date", "symbol"], ignore_index=True)
    wait, today = wait_of(int(rows["horizon_bars"].max()), config), pd.Timestamp(now).tz_localize(None)
    known = rows["is_known"].to_numpy()
    in_time = known & (rows["known_at"] <= rows["bar_date"] + wait).to_numpy()
    starts = np.flatnonzero(np.r_[True, np.diff(rows["bar_date"].to_numpy().astype("int64")) != 0])
    outcome = f"first_{OUTCOME[kind]}"
    evidence = row_evidence(kind, rows, baseline=baseline, outcome=outcome, outlier=config.outlier)
    steps = []
    for first, last in zip(starts, [*starts[1:], len(rows)], strict=True):
        part = slice(int(first), int(last))
        if not known[part].all() and today < rows["bar_date"].iloc[first] + wait:
            break
        chosen = np.flatnonzero(in_time[part]) + int(first)
        losses = LossGaps(*(values[chosen] for values in evidence.losses))
        step = _step(rows, chosen, losses, evidence.missed[chosen], tested)
        if step is not None:
            steps.append(_with_missing(step, int(last - first) - len(chosen)))
    return steps


def counted_rows(kind: Kind, frame: pd.DataFrame, now: datetime) -> pd.DataFrame:
    """Return the rows that count: no shadows, made before their outcome, and the first of several versions.

    Outcomes that are known later than ``now`` are unknown in ``is_known``.
    """
    rows = frame[~frame["is_shadow"].to_numpy(dtype=bool)]
    end = rows["end_close"]
    rows = rows[(end.isna() | (rows["made_at"] < end)).to_numpy() & (rows["made_at"] <= pd.Timestamp(now)).to_numpy()]
    rows = rows.sort_values("made_at", kind="stable").drop_duplicates(["symbol", "bar_date"])
    moment = pd.Timestamp(now)
    known = has_outcome(kind, rows, f"first_{OUTCOME[kind]}") & (rows["known_at"] <= moment).to_numpy()
    return rows.assign(is_known=known, known_at=rows["known_at"].dt.tz_localize(None), end_date=rows["end_date"])


def _step(
    rows: pd.DataFrame,
    chosen: npt.NDArray[np.intp],
    losses: LossGaps,
    missed: Array,
    tested: Mapping[str, TestedSkill],
) -> Step | None:
    if not len(chosen):
        return None
    part = rows.iloc[chosen]
    versions = part["version"].to_numpy(dtype=object)
    unknown = TestedSkill.unknown()
    skills = [tested.get(str(version), unknown) for version in versions]
    compared, covered = np.isfinite(losses.gap), np.isfinite(missed)
    gaps: dict[str, float] = {}
    if compared.any():
        known = LossGaps(*(values[compared] for values in losses))
        gaps["worse"] = step_gap(*excess_loss(known), most=1.0)
        kept = np.array([skill.least_kept for skill in skills])[compared]
        if (proven := kept > 0.0).any():
            gaps["faded"] = step_gap(*excess_loss(LossGaps(*(v[proven] for v in known)), kept[proven]), most=1.0)
    if covered.any():
        levels = part["level"].to_numpy(dtype=np.float64)
        allowed = np.array([one.most_missed(level) for one, level in zip(skills, levels, strict=True)])
        gaps["coverage"] = step_gap(*excess_misses(missed[covered], allowed[covered]))
    loss = float(losses.gap[compared].mean()) if compared.any() else float("nan")
    names, counts = np.unique(versions.astype(str), return_counts=True)
    end = part["end_date"].max()
    start = part["bar_date"].iloc[0]
    return Step(start.isoformat(), end.isoformat(), str(names[counts.argmax()]), gaps, loss, len(chosen), 0)


def _with_missing(step: Step, missing: int) -> Step:
    return Step(step.start, step.end, step.version, step.gaps, step.loss, step.rows, missing)
