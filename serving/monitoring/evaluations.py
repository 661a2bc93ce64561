"""Reads forecasts with their outcomes from the journal, as tables with the columns of test tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Connection, func, select

from configs.values import Kind
from serving.journal.baselines import baseline_columns, baseline_names
from serving.journal.kind_columns import KIND_COLUMNS, stored_name
from serving.journal.schema import outcomes, predictions
from serving.monitoring.forecast_rows import JUDGED_KINDS

_TIMES = ("bar_date", "bar_close", "made_at", "target_close")
_PLAIN = ("symbol", "version", "horizon_bars", "basis", "fallback", "level", "is_shadow", "times_served")


def kinds_of(connection: Connection) -> list[tuple[Kind, int]]:
    """Return the kinds with forecasts and their newest horizon in bars, sorted."""
    newest = select(predictions.c.kind, func.max(predictions.c.bar_date).label("at")).group_by(predictions.c.kind)
    found: list[tuple[Kind, int]] = []
    for kind, at in connection.execute(newest).all():
        horizon = select(func.max(predictions.c.horizon_bars)).where(
            predictions.c.kind == kind, predictions.c.bar_date == at, predictions.c.is_shadow.is_(False)
        )
        value = connection.execute(horizon).scalar()
        found += [(kind, int(value))] if value is not None else []
    return sorted(found)


def newest_bar(connection: Connection, kind: Kind, horizon: int) -> datetime | None:
    """Return the newest bar date with a forecast; None if there is none."""
    chosen = (predictions.c.kind == kind, predictions.c.horizon_bars == horizon)
    found: datetime | None = connection.execute(select(func.max(predictions.c.bar_date)).where(*chosen)).scalar()
    return found


def read_evaluations(
    connection: Connection,
    kind: Kind,
    horizon: int,
    *,
    since: datetime | None = None,
    versions: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return the forecasts of a kind, one row a symbol, version and bar, in order of time.

    Parameters
    ----------
    horizon
        Bars ahead.
    since
        The first bar date; None for all.
    versions
        Only these.

    Returns
    -------
    DataFrame
        The columns of :mod:`serving.monitoring.forecast_rows`, and ``symbol``, ``version``, ``bar_date`` and ``date``
        (UTC without a zone), ``bar_close``, ``made_at``, ``horizon_bars``, ``basis``, ``fallback``, ``is_shadow``,
        ``times_served``. Outcomes: the newest revision in ``label`` or ``target``, the first in ``first_label`` or
        ``first_target``, known at ``known_at``; ``end_date`` and ``end_close`` are of the last bar of the horizon.
    """
    of_kind = KIND_COLUMNS[kind]
    columns = [predictions.c[name] for name in ("id", *_TIMES, *_PLAIN, *of_kind.stored, "baselines")]
    chosen = [predictions.c.kind == kind, predictions.c.horizon_bars == horizon]
    chosen += [predictions.c.bar_date >= since] if since is not None else []
    chosen += [predictions.c.version.in_(versions)] if versions is not None else []
    rows = connection.execute(select(*columns).where(*chosen)).all()
    frame = pd.DataFrame.from_records(rows, columns=[column.name for column in columns])
    frame = frame.rename(columns={stored_name(name): name for name in of_kind.forecast})
    frame = frame.astype(dict.fromkeys(("level", *of_kind.values, *of_kind.others), np.float64))
    for name in _TIMES:
        frame[name] = pd.to_datetime(frame[name], utc=True).astype("datetime64[us, UTC]")
    frame["bar_date"] = frame["bar_date"].dt.tz_localize(None)
    value = outcomes.c[JUDGED_KINDS[kind].stored_outcome]
    known = (outcomes.c.prediction_id, outcomes.c.revision, outcomes.c.known_at, outcomes.c.bar_date)
    query = select(*known, outcomes.c.bar_close, value).join(predictions).where(*chosen).order_by(outcomes.c.revision)
    frame = _with_outcomes(kind, frame, connection.execute(query).all())
    stored = frame["baselines"].tolist()
    by_name = pd.DataFrame(baseline_columns(kind, stored, baseline_names(stored)), index=frame.index)
    frame = pd.concat([frame.drop(columns=["baselines", "id"]), by_name], axis=1)
    return frame.assign(date=frame["bar_date"]).sort_values(["bar_date", "symbol", "made_at"], ignore_index=True)


def _with_outcomes(kind: Kind, frame: pd.DataFrame, rows: Sequence[Any]) -> pd.DataFrame:
    name = JUDGED_KINDS[kind].outcome
    columns = ["id", "revision", "known_at", "end_date", "end_close", name]
    found = pd.DataFrame.from_records(rows, columns=columns).astype({name: np.float64})
    for column in ("known_at", "end_date", "end_close"):
        found[column] = pd.to_datetime(found[column], utc=True).astype("datetime64[us, UTC]")
    found["end_date"] = found["end_date"].dt.tz_localize(None)
    first = found.drop_duplicates("id", keep="first").rename(columns={name: f"first_{name}"}).drop(columns="revision")
    newest = found.drop_duplicates("id", keep="last")[["id", "revision", name]]
    return frame.merge(first, on="id", how="left").merge(newest, on="id", how="left")
