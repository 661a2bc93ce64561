"""What became of predictions: filled from bars when the horizon is over, and again when a bar is revised."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import Connection, select

from features.bars.closes import bar_date
from features.bars.schedule_fit import schedule_of
from features.bars.schema import SymbolBars
from features.labels import bar_variance
from serving.journal.forecasts import close_of
from serving.journal.reading import with_newest_outcome
from serving.journal.schema import outcomes, predictions
from serving.journal.upsert import insert_new

_REVISED_DAYS = 30
_SAME = 1e-9  # relative: prices that a new dividend scales give the same returns but for rounding
_DOWN, _SIDEWAYS, _UP = 0, 1, 2


@dataclass(frozen=True, slots=True)
class OpenPrediction:
    """A prediction whose outcome is not known or may be revised, with the newest outcome (None: not known)."""

    id: str
    symbol: str
    bar_date: datetime
    horizon_bars: int
    band: float | None
    revision: int | None
    log_return: float | None
    label: int | None
    variance: float | None


def open_predictions(connection: Connection, now: datetime, revised_days: int = _REVISED_DAYS) -> list[OpenPrediction]:
    """Return the predictions without an outcome, and those whose horizon ended in the last ``revised_days``."""
    of_prediction = [predictions.c[name] for name in ("id", "symbol", "bar_date", "horizon_bars", "band")]
    of_outcome = [outcomes.c[name] for name in ("revision", "log_return", "label", "variance")]
    is_open = outcomes.c.revision.is_(None) | (outcomes.c.bar_close >= now - timedelta(days=revised_days))
    found = connection.execute(select(*of_prediction, *of_outcome).select_from(with_newest_outcome()).where(is_open))
    return [OpenPrediction(*row) for row in found]


def fill_outcomes(
    connection: Connection,
    bars: Iterable[SymbolBars],
    now: datetime,
    *,
    renamed: Mapping[str, str] | None = None,
    revised_days: int = _REVISED_DAYS,
) -> int:
    """Write the outcomes that these bars decide, and return how many were new or revised.

    Call it in a transaction of :meth:`.Journal.begin`. Where reading the bars takes long, call :func:`due_outcomes`
    before and :func:`record_outcomes` in the transaction. Parameters are those of :func:`due_outcomes`.
    """
    return record_outcomes(connection, due_outcomes(connection, bars, now, renamed=renamed, revised_days=revised_days))


def due_outcomes(
    connection: Connection,
    bars: Iterable[SymbolBars],
    now: datetime,
    *,
    renamed: Mapping[str, str] | None = None,
    revised_days: int = _REVISED_DAYS,
) -> list[dict[str, Any]]:
    """Return rows of the table ``outcomes`` that these bars decide or revise; nothing is written.

    An outcome is known when ``horizon_bars`` later *bars* of the symbol exist, however many days that takes; of a
    symbol that was delisted before, it stays unknown.

    Parameters
    ----------
    connection
        Of :meth:`.Journal.connect`.
    bars
        Complete bars; leave out one that is still being formed.
    now
        When the outcomes are known, aware.
    renamed
        New names of symbols by old ones (``journal.renamed``): a prediction of the old one is decided by the bars of
        the new one.
    revised_days
        Outcomes whose last bar is older are not compared with revised bars.
    """
    pending: dict[str, list[OpenPrediction]] = {}
    for one in open_predictions(connection, now, revised_days):
        pending.setdefault(current_name(one.symbol, renamed or {}), []).append(one)
    return [row for symbol in bars for row in decided(pending.get(symbol.symbol, ()), symbol, now)]


def record_outcomes(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> int:
    """Write rows of :func:`due_outcomes`, and return how many the journal did not have."""
    if not rows:
        return 0
    return connection.execute(insert_new(connection, outcomes), [dict(row) for row in rows]).rowcount


def decided(pending: Sequence[OpenPrediction], bars: SymbolBars, now: datetime) -> list[dict[str, Any]]:
    """Return rows of the table ``outcomes`` for predictions of one symbol that its bars decide or revise."""
    if not pending or not len(bars):
        return []
    dates, variance, schedule = bars.dates.astype("datetime64[us]"), bar_variance(bars), schedule_of(bars.dates)
    wanted = np.array([one.bar_date.astimezone(UTC).replace(tzinfo=None) for one in pending], "datetime64[us]")
    places = np.searchsorted(dates, wanted)
    rows = []
    for one, place, date in zip(pending, places.tolist(), wanted, strict=True):
        end = place + one.horizon_bars
        if end >= len(dates) or dates[place] != date:
            continue
        log_return = float(np.log(bars.close[end] / bars.close[place]))
        mean = float(variance[place + 1 : end + 1].mean())
        if not (math.isfinite(log_return) and math.isfinite(mean)):
            continue
        label = _label(log_return, one.band)
        if one.revision is not None and _is_same(one, log_return, label, mean):
            continue
        rows.append(
            {
                "prediction_id": one.id,
                "revision": 0 if one.revision is None else one.revision + 1,
                "known_at": now,
                "bar_date": bar_date(dates[end]),
                "bar_close": close_of(schedule, bars.dates[end]),
                "log_return": log_return,
                "label": label,
                "variance": mean,
            }
        )
    return rows


def current_name(symbol: str, renamed: Mapping[str, str]) -> str:
    """Return a symbol's present name, after any number of changes."""
    seen = {symbol}
    while (symbol := renamed.get(symbol, symbol)) not in seen:
        seen.add(symbol)
    return symbol


def _label(log_return: float, band: float | None) -> int | None:
    if band is None:
        return None
    return _UP if log_return > band else _DOWN if log_return < -band else _SIDEWAYS


def _is_same(one: OpenPrediction, log_return: float, label: int | None, variance: float) -> bool:
    known = ((one.log_return, log_return), (one.variance, variance))
    same = all(old is not None and math.isclose(old, new, rel_tol=_SAME, abs_tol=1e-15) for old, new in known)
    return same and one.label == label
