"""Fetch alternative data from a source into the lake, by the same path as files: checks, quarantine, append-only."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd

from cluster.alternative_data import Appended, ImportedRows, rows_of
from configs.errors import ConfigError, DataError
from features.alternative.checks import ReadingOptions, TableRows
from features.alternative.fetch import catalog
from features.alternative.fetch.base import FetchRequest, FetchSpec
from features.alternative.fetch.http import Http
from features.alternative.fetch.run import fetched
from features.store.alternative import AlternativeLake
from features.store.store import Store


def utc_clock() -> pd.Timestamp:
    """Return the time now in UTC, with its zone."""
    return pd.Timestamp.now("UTC")


def fetch_rows(
    store: Store,
    source: str,
    items: Sequence[str],
    start: date | None = None,
    end: date | None = None,
    *,
    base_url: str | None = None,
    clock: Callable[[], pd.Timestamp] = utc_clock,
    sleep: Callable[[float], None] = time.sleep,
) -> ImportedRows:
    """Append what a source has of these items to the lake; fetching it again stores nothing twice.

    Items are stored as they arrive, so that a run that was interrupted may be repeated. ``clock`` returns the time now
    in UTC, with its zone: what has no publication time counts from when it arrived, not from the run's beginning.

    Raises
    ------
    ConfigError
        The source needs a key, a start or another address.
    DataError
        Nothing could be fetched of any item.
    """
    spec = catalog()[source]
    if spec.needs_start and start is None:
        raise ConfigError(f"source {source!r} needs the first day. Add it, such as --start 2024-01-01.")
    if not spec.needs_start and not spec.base_url and (base_url, start, end) != (None, None, None):
        raise ConfigError(f"source {source!r} has no history and one address. Leave out --start, --end and --base-url.")
    request = FetchRequest(tuple(dict.fromkeys(items)), start, end, clock)
    http = Http(
        source,
        base_url or spec.base_url or "https://localhost",
        spec.credentials,
        is_default=base_url is None,
        pause_s=spec.pause_s,
        sleep=sleep,
    )
    try:
        return _stored(store, spec, request, http)
    finally:
        http.close()


def _stored(store: Store, spec: FetchSpec, request: FetchRequest, http: Http) -> ImportedRows:
    appended, missing, has_rows = Appended(store), dict[str, str](), set[str]()
    for item, found in fetched(spec, request, http):
        if isinstance(found, DataError):
            missing[item] = str(found)
            continue
        options = ReadingOptions(spec.name, request.now.tz_localize(None).to_datetime64(), spec.timezone)
        try:
            appended.add(_unknown(store, spec, rows_of(spec.kind, found, options)))
            has_rows.add(item)
        except DataError as error:
            missing[item] = str(error)
    if missing and not has_rows and len(missing) == len(request.items):
        shown = "; ".join(f"{item}: {reason}" for item, reason in list(missing.items())[:3])
        more = f"; and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise DataError(f"nothing was fetched: {shown}{more}")
    for item in request.items:
        if item not in has_rows and item not in missing:
            missing[item] = "the source has nothing of it in this period."
    return appended.result(missing)


def _unknown(store: Store, spec: FetchSpec, rows: TableRows) -> TableRows:
    """Return the rows without those whose newest version a collector stored before, with an earlier retrieval."""
    names = list(spec.collected_by)
    if not names or not rows.rows.num_rows:
        return rows
    lake = AlternativeLake(store)
    stored = pd.concat([lake.read(rows.table, part) for part in set(rows.rows["symbol"].to_pylist())])
    newest = stored[stored["source"] == spec.name].drop_duplicates(names, keep="last")
    known = pd.MultiIndex.from_frame(newest[[*names, "text"]])
    given = pd.MultiIndex.from_frame(rows.rows.select([*names, "text"]).to_pandas())
    is_new: npt.NDArray[np.bool_] = ~given.isin(known)
    return TableRows(rows.table, rows.rows.filter(is_new), rows.refused, rows.lines)
