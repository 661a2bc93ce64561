"""From rows to the steps of sequential tests: all forecasts of one bar date, when their outcomes are complete.

A step is made once. It counts the outcomes as they were first known, leaves out those that came later than
``late_days`` after they were due, and forecasts that were made after their outcome; so it is the same whenever and in
whatever order outcomes arrive, and revisions do not rewrite evidence. Weekly and rarer bars are waited for longer.

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
from serving.monitoring.forecast_rows import OUTCOME, RowEvidence, has_outcome, row_evidence
from serving.monitoring.losses import excess_loss, excess_misses, step_gap
from serving.monitoring.tested import TestedSkill
from training.metrics.ratio import ratio

_LENGTHS_PER_BAR = 2  # of a horizon on a calendar with weekends
_DAY = timedelta(days=1)
_WEEKLY = timedelta(days=5.5)  # two daily bars can be further apart than a day, with a weekend or holidays in between


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


def wait_of(horizon: int, config: MonitoringConfig, length: timedelta = _DAY) -> timedelta:
    """Return how long after its bar a step waits for outcomes, given :func:`bar_length`."""
    return timedelta(days=config.late_days) + _LENGTHS_PER_BAR * horizon * length


def bar_length(frame: pd.DataFrame) -> timedelta:
    """Return the usual time between two bars of a symbol if they are weekly or rarer, else a day."""
    bars = frame[["symbol", "bar_date"]].drop_duplicates().sort_values("bar_date")
    usual = pd.Timedelta(bars.groupby("symbol")["bar_date"].diff().median())
    return usual.to_pytimedelta() if usual >= _WEEKLY else _DAY


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
    wait = wait_of(int(rows["horizon_bars"].max()), config, bar_length(rows))
    today = pd.Timestamp(now).tz_localize(None)
    known = rows["is_known"].to_numpy()
    starts = np.flatnonzero(np.r_[True, np.diff(rows["bar_date"].to_numpy().astype(np.int64)) != 0])
    dates = rows["bar_date"].iloc[starts]
    is_complete = np.logical_and.reduceat(known, starts) | (today >= dates + wait).to_numpy()
    if not is_complete.all():
        starts = starts[: int(is_complete.argmin())]
        rows = rows.iloc[: 0 if not len(starts) else _end_of(rows, starts)]
    if rows.empty:
        return []
    step = np.repeat(np.arange(len(starts)), np.diff(np.r_[starts, len(rows)]))
    in_time = (rows["is_known"] & (rows["known_at"] <= rows["bar_date"] + wait)).to_numpy()
    chosen, place = rows[in_time], step[in_time]
    if chosen.empty:
        return []
    outcome = f"first_{OUTCOME[kind]}"
    evidence = row_evidence(kind, chosen, baseline=baseline, outcome=outcome, outlier=config.outlier)
    return _steps(chosen, place, np.bincount(step, minlength=len(starts)), evidence, tested, config.miss_tolerance)


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


def _end_of(rows: pd.DataFrame, starts: npt.NDArray[np.intp]) -> int:
    """Return the row after those of the last step."""
    last = rows["bar_date"].iloc[int(starts[-1])]
    return int((rows["bar_date"] <= last).sum())


def _steps(
    rows: pd.DataFrame,
    place: npt.NDArray[np.intp],
    counts: npt.NDArray[np.intp],
    evidence: RowEvidence,
    tested: Mapping[str, TestedSkill],
    tolerance: float,
) -> list[Step]:
    """Return the steps that have rows; ``place`` (n,) is the step of each row, ``counts`` (K,) have those without."""
    versions, codes = np.unique(rows["version"].to_numpy(dtype=str), return_inverse=True)
    skills = [tested.get(str(version), TestedSkill.unknown()) for version in versions]
    least_share = np.array([one.least_realised_share for one in skills], np.float64)[codes]
    levels, level = np.unique(rows["level"].to_numpy(dtype=np.float64), return_inverse=True)
    allowed = np.array([[one.most_missed(float(value), tolerance) for value in levels] for one in skills]).reshape(
        -1, len(levels)
    )
    losses, total = evidence.losses, len(counts)
    compared, covered = np.isfinite(losses.gap), np.isfinite(evidence.missed) & np.isfinite(rows["level"].to_numpy())
    proven = compared & (least_share > 0.0)
    missed, rate = np.where(covered, evidence.missed, 0.0), np.where(covered, allowed[codes, level], 0.5)
    by_test = {
        "worse": (*excess_loss(losses), compared, 1.0),
        "faded": (*excess_loss(losses, least_share), proven, 1.0),
        "coverage": (*excess_misses(missed, rate), covered, np.inf),
    }
    gaps: list[dict[str, float]] = [{} for _ in range(total)]
    for test, (excess, room, usable, most) in by_test.items():
        sums, rooms = (np.bincount(place[usable], one[usable], total) for one in (excess, room))
        for k in np.flatnonzero(np.bincount(place[usable], minlength=total)):
            gaps[k][test] = step_gap(sums[k], rooms[k], most)
    loss = ratio(*(np.bincount(place[compared], one, total) for one in (losses.gap[compared], np.ones(compared.sum()))))
    used = np.bincount(place, minlength=total)
    most_rows = np.bincount(place * len(versions) + codes, minlength=total * len(versions)).reshape(total, -1)
    first = np.searchsorted(place, np.arange(total))
    start, end = rows["bar_date"].to_numpy(), rows["end_date"].to_numpy()
    return [
        Step(
            start=pd.Timestamp(start[first[k]]).isoformat(),
            end=pd.Timestamp(end[first[k] : first[k] + used[k]].max()).isoformat(),
            version=str(versions[most_rows[k].argmax()]),
            gaps=gaps[k],
            loss=float(loss[k]),
            rows=int(used[k]),
            missing=int(counts[k] - used[k]),
        )
        for k in range(total)
        if used[k]
    ]
