"""From a snapshot of models and newest bars to predictions for the journal, with the baselines' forecasts."""

from __future__ import annotations

from collections.abc import Container, Sequence
from datetime import datetime
from functools import lru_cache

import numpy as np

from configs.values import Kind
from features.bars.closes import bar_close, bar_date, end_of_day
from features.bars.schedule import BarSchedule
from serving.fleets import Fleet, ForecastColumns
from serving.journal.predictions import PredictionRow
from serving.kinds import SERVED_KINDS
from serving.snapshot import Snapshot
from serving.targets import LastBar, target_date
from training.tasks import task_of


def snapshot_rows(
    snapshot: Snapshot,
    made_by: str,
    *,
    kinds: Sequence[Kind] | None = None,
    symbols: Container[str] | None = None,
    made_at: datetime | None = None,
    is_shadow: bool = False,
) -> list[PredictionRow]:
    """Return the predictions of a snapshot, equal to its answers: of fitted symbols and of pooled ones.

    Nothing is computed again: a snapshot keeps the columns that its answers were made of.

    Parameters
    ----------
    snapshot
        Of an engine, or one that :func:`.build_snapshot` made.
    made_by
        Which program asks, such as ``bot:paper``.
    kinds, symbols
        Which; by default all that have a forecast.
    made_at
        When, aware; by default when the snapshot was loaded.
    is_shadow
        Whether no one acts on them.
    """
    out: list[PredictionRow] = []
    for kind, fleet in snapshot.fleets.items():
        found = snapshot.columns.get(kind)
        if found is None or (kinds is not None and kind not in kinds):
            continue
        names, columns = found
        last = [snapshot.last_bars[name] for name in names]
        chosen = [i for i, name in enumerate(names) if symbols is None or name in symbols]
        when = made_at or snapshot.loaded
        out += fleet_rows(fleet, names, columns, last, made_by, when, chosen, is_shadow=is_shadow)
    return out


def fleet_rows(
    fleet: Fleet,
    symbols: Sequence[str],
    columns: ForecastColumns,
    last: Sequence[LastBar],
    made_by: str,
    made_at: datetime,
    chosen: Sequence[int] | None = None,
    *,
    is_shadow: bool = False,
) -> list[PredictionRow]:
    """Return the predictions of n rows of :meth:`.Fleet.columns`, or of the ``chosen`` ones.

    ``symbols`` and ``last`` are those of the n rows: the symbol, and the bar that the forecast follows.
    """
    predictor, kind = fleet.predictor, fleet.kind
    horizon = predictor.config.section(kind).horizon
    recorded = SERVED_KINDS[kind].recorded(predictor, columns.values, last)
    names = [name for name, _ in task_of(kind).layout.references if name in columns.baselines]
    baselines = {name: columns.baselines[name].tolist() for name in names}
    known = {name: np.isfinite(columns.baselines[name].reshape(len(last), -1)).all(axis=1) for name in names}
    rows = []
    for i in range(len(symbols)) if chosen is None else chosen:
        bar = last[i]
        target = target_date(bar, horizon)
        rows.append(
            PredictionRow(
                symbol=symbols[i],
                kind=kind,
                bar_date=bar_date(bar.date),
                bar_close=close_of(bar.schedule, bar.date),
                horizon_bars=horizon,
                version=fleet.version,
                made_at=made_at,
                made_by=made_by,
                close=bar.close,
                basis=columns.basis[i],
                target_close=None if target is None else close_of(bar.schedule, np.datetime64(target, "ns")),
                baselines={name: baselines[name][i] for name in names if known[name][i]},
                is_shadow=is_shadow,
                **{name: values[i] for name, values in recorded.items()},
            )
        )
    return rows


@lru_cache(maxsize=8192)  # most symbols of a universe share their schedule and last date
def close_of(schedule: BarSchedule, date: np.datetime64) -> datetime:
    """Return when the bar of a date is complete; the end of its day, UTC, where the calendar does not know it."""
    return bar_close(schedule, date) or end_of_day(date)
