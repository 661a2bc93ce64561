"""Predictions and their newest outcomes as a data frame, with the columns of test tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, FromClause, Select, func, select

from configs.values import Kind
from serving.journal.baselines import baseline_columns, baseline_names
from serving.journal.kind_columns import KIND_COLUMNS, stored_name
from serving.journal.schema import outcomes, predictions

if TYPE_CHECKING:
    import pandas as pd

_OF_BOTH = ("id", "symbol", "kind", "bar_date", "bar_close", "target_close", "horizon_bars", "version", "basis")
_ABOUT = (
    "made_at",
    "made_by",
    "is_shadow",
    "fallback",
    "times_served",
    "first_served",
    "last_served",
    "close",
    "level",
)
_OUTCOME = ("revision", "known_at", "log_return", "label", "variance")


def read_predictions(
    connection: Connection,
    kind: Kind,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    symbols: Sequence[str] | None = None,
    versions: Sequence[str] | None = None,
    shadows: bool | None = False,
    only_known: bool = False,
    known_by: datetime | None = None,
) -> pd.DataFrame:
    """Return predictions of a kind with their newest outcomes, one row each, by bar, symbol and version.

    Columns are those of test tables: ``symbol``, ``date`` (of the bar, UTC without a zone, as in the lake), ``p_down``
    … and ``in_set_down`` …, or ``forecast``, ``low`` and ``high``; of each baseline ``p_down_prior`` … or
    ``forecast_log_har``; of the outcome ``log_return``, ``label`` (−1 if not known) and ``target``, NaN if not known.
    The others are those of the tables ``predictions`` and ``outcomes``; ``outcome_close`` is when the last bar of the
    horizon was complete.

    Parameters
    ----------
    since, until
        The first and last ``bar_close``, aware.
    symbols, versions
        Which; all by default.
    shadows
        Those of shadows: none, or only (True), or both (None).
    only_known
        Leave out predictions without an outcome.
    known_by
        Only outcomes and revisions that were known by then: what one could have read at that time.

    Raises
    ------
    ConfigError
        A time has no zone.
    """
    import pandas as pd

    statement = _statement(kind, known_by)
    wanted: list[ColumnElement[bool]] = [predictions.c.kind == kind]
    if since is not None:
        wanted.append(predictions.c.bar_close >= since)
    if until is not None:
        wanted.append(predictions.c.bar_close <= until)
    if symbols is not None:
        wanted.append(predictions.c.symbol.in_(list(symbols)))
    if versions is not None:
        wanted.append(predictions.c.version.in_(list(versions)))
    if shadows is not None:
        wanted.append(predictions.c.is_shadow.is_(shadows))
    if only_known:
        wanted.append(outcomes.c.revision.is_not(None))
    found = connection.execute(statement.where(*wanted))
    frame = pd.DataFrame(found.all(), columns=list(found.keys()))
    return _finished(frame, kind)


def one_a_bar(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the prediction of each symbol and bar that was made first, as strategies read them.

    There are several where a new version, or another horizon, has predicted the same bar.
    """
    ordered = frame.sort_values(["made_at", "id"], kind="stable")
    return ordered.drop_duplicates(["symbol", "date"]).sort_index()


def with_newest_outcome(known_by: datetime | None = None) -> FromClause:
    """Return the predictions joined with each one's newest outcome, or the newest that was known by a time."""
    other = outcomes.alias()
    newest = select(func.max(other.c.revision)).where(other.c.prediction_id == predictions.c.id)
    if known_by is not None:
        newest = newest.where(other.c.known_at <= known_by)
    same = (outcomes.c.prediction_id == predictions.c.id) & (outcomes.c.revision == newest.scalar_subquery())
    return predictions.outerjoin(outcomes, same)


def _statement(kind: Kind, known_by: datetime | None) -> Select[Any]:
    named = [predictions.c[name] for name in (*_OF_BOTH, *KIND_COLUMNS[kind].stored, *_ABOUT, "baselines")]
    outcome = [outcomes.c[name].label("target" if name == "variance" else name) for name in _OUTCOME]
    ordered = predictions.c.bar_close, predictions.c.symbol, predictions.c.version, predictions.c.horizon_bars
    found = select(*named, *outcome, outcomes.c.bar_close.label("outcome_close"))
    return found.select_from(with_newest_outcome(known_by)).order_by(*ordered)


def _finished(frame: pd.DataFrame, kind: Kind) -> pd.DataFrame:
    """Return the frame with numbers as numbers, the bar's date as in the lake, and a column a baseline."""
    import pandas as pd

    of_kind = KIND_COLUMNS[kind]
    frame = frame.rename(columns={stored_name(name): name for name in of_kind.forecast})
    for name in ("close", "level", "log_return", "target", *of_kind.values, *of_kind.others):
        frame[name] = frame[name].astype("float64")
    frame["label"] = frame["label"].fillna(-1).astype("int8")
    frame["revision"] = frame["revision"].astype("Int64")
    frame.insert(
        2, "date", pd.to_datetime(frame.pop("bar_date"), utc=True).dt.tz_localize(None).astype("datetime64[ns]")
    )
    for name in ("bar_close", "target_close", "made_at", "first_served", "last_served", "known_at", "outcome_close"):
        frame[name] = pd.to_datetime(frame[name], utc=True).astype("datetime64[us, UTC]")
    stored = frame.pop("baselines").tolist()
    return frame.assign(**baseline_columns(kind, stored, sorted(baseline_names(stored))))
