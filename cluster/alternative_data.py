"""Import alternative data into the lake, and inspect what it has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from cluster.option_chains import derived_lines, refuse_derived
from configs.errors import ConfigError, DataError, shortened
from features.alternative.checks import ReadingOptions, TableRows
from features.alternative.quarantine import RefusedRows
from features.alternative.read_series import read_events, read_option_days, read_series
from features.alternative.read_texts import read_chain, read_text
from features.alternative.stopped import has_stopped
from features.alternative.text.demo import demo_headlines
from features.alternative.user_files import read_files
from features.sources.embedded import embedded_series
from features.store.alternative import AlternativeLake
from features.store.lake import Lake
from features.store.option_figures import OptionFigures
from features.store.store import Store

EMBEDDED = "embedded"
CHAINS = "option chains"
_NAMES: dict[str, tuple[str | None, str]] = {
    "series": ("series", "period"),
    "events": ("event", "at"),
    "text": ("kind", "published_at"),
    "options": (None, "quoted_at"),
}
"""The column that names what a table has of a symbol, and the one that says what a row describes."""

_READERS: dict[str, Callable[[pd.DataFrame, ReadingOptions], TableRows]] = {
    "text": read_text,
    "macro": read_series,
    "options": read_chain,
    "series": read_series,
    "events": read_events,
}
KINDS = tuple(_READERS)


@dataclass(frozen=True, slots=True)
class ImportedRows:
    """What an import changed: rows added and stored by table, refused ones, decisions in lines, unknown symbols.

    ``refused_in`` is the folder of all refused rows. ``missing`` has the reason of everything that could not be
    fetched.
    """

    store: str
    added: dict[str, int]
    stored: dict[str, int]
    refused: RefusedRows
    refused_in: str
    lines: tuple[str, ...]
    without_bars: tuple[str, ...]
    missing: Mapping[str, str] = field(default_factory=dict)


def import_rows(
    store: Store,
    paths: Sequence[str],
    kind: str,
    *,
    timezone: str | None = None,
    lag_days: Mapping[str, int] | None = None,
    date_format: str | None = None,
    now: np.datetime64 | None = None,
) -> ImportedRows:
    """Append the rows of files to the lake; importing them again changes nothing.

    Raises
    ------
    DataError
        A file is no table of this kind, or it is not known when its rows became known.
    """
    if kind not in KINDS:
        raise ConfigError(f"--kind has value {kind!r}; expected one of {', '.join(KINDS)}.")
    now = now or np.datetime64(pd.Timestamp.now("UTC").tz_localize(None), "ns")
    read, appended = list[TableRows](), Appended(store)
    for path in paths:
        for place, stem, frame in _embedded(kind) if path == EMBEDDED else _of_files(path):
            options = ReadingOptions(stem, now, timezone, dict(lag_days or {}), date_format)
            try:
                read.append(rows_of(kind, frame, options))
            except DataError as error:
                raise DataError(f"{place!r}: {error}") from error
    for rows in read:
        appended.add(rows)
    return appended.result()


class Appended:
    """Appends rows of tables to the lake, and counts them."""

    def __init__(self, store: Store) -> None:
        self._lake, self._store = AlternativeLake(store), store
        self._figures = OptionFigures(self._lake)
        self._added, self._stored = dict[str, int](), dict[str, dict[str, int]]()
        self._lines, self._symbols, self._refused = list[str](), set[str](), [RefusedRows.empty().frame]

    def add(self, rows: TableRows) -> int:
        """Append rows, store those that were refused, and return how many were new."""
        rows = refuse_derived(rows, self._figures)
        outcome = self._lake.append(rows.table, rows.rows)
        self._lake.record(rows.refused)
        self._added[rows.table] = self._added.get(rows.table, 0) + outcome.added
        self._stored.setdefault(rows.table, {}).update(outcome.stored_by_part)
        self._lines += rows.lines
        self._symbols |= set(rows.rows["symbol"].to_pylist()) - {""}
        self._refused += [rows.refused.frame, outcome.refused.frame]
        return outcome.added

    def result(self, missing: Mapping[str, str] | None = None) -> ImportedRows:
        """Return what was appended, next to the reasons of what is missing."""
        if "options" in self._added:
            self._lines += derived_lines(self._figures, sorted(self._symbols))
        without_bars = tuple(sorted(self._symbols.difference(Lake(self._store).symbols())))
        found = RefusedRows(pd.concat(self._refused, ignore_index=True))
        lines = tuple(dict.fromkeys(self._lines))
        stored = {table: sum(parts.values()) for table, parts in self._stored.items()}
        uri, folder = self._store.uri, self._lake.quarantine
        return ImportedRows(uri, self._added, stored, found, folder, lines, without_bars, dict(missing or {}))


def inspect_rows(store: Store, symbols: Sequence[str] = (), now: np.datetime64 | None = None) -> list[dict[str, Any]]:
    """Return coverage, publication lag, vintages, longest gap and age of each series, event, kind of texts and chain.

    Of these symbols, or of all and of the market.

    The figures of option chains are among the series; their vintages are the snapshots of a session.
    ``stopped`` is as :func:`~features.alternative.stopped.has_stopped` judges it at the time ``now``.
    """
    lake, rows = AlternativeLake(store), list[dict[str, Any]]()
    now = now or np.datetime64(pd.Timestamp.now("UTC").tz_localize(None), "ns")
    for table, (column, of) in _NAMES.items():
        name = column or "chain"
        frame = lake.read_all(table)
        if table == "options":  # a chain is one fact, with many rows
            frame = frame.drop_duplicates(["symbol", "quoted_at", "source"]).assign(chain=CHAINS)
        if table == "series":
            frame = OptionFigures(lake).joined(frame)
        for key, some in frame.groupby(["symbol", name], sort=True):
            symbol, one = key
            rows.append({"table": table, "symbol": str(symbol), "name": str(one), **_facts(some, of, now)})
    if absent := sorted(set(symbols).difference(row["symbol"] for row in rows)):
        raise DataError(
            f"the lake has no alternative data of {shortened(absent)}; expected its symbols. Leave the names out to "
            "see them, and import files before they are inspected."
        )
    return [row for row in rows if not symbols or row["symbol"] in symbols]


def remove_rows(store: Store, names: Sequence[str]) -> dict[str, int]:
    """Delete what the lake has under names that ``inspect_rows`` shows, such as ``MSFT iv30``; return rows by name.

    A name without a symbol is of the market. Rows that were refused stay in quarantine.

    Raises
    ------
    DataError
        The lake has no rows of a name; none is removed.
    """
    lake, found = AlternativeLake(store), dict[str, list[tuple[str, str, str | None, str]]]()
    for table, (column, _) in _NAMES.items():
        for part in lake.parts(table):
            for one in [CHAINS] if column is None else lake.read(table, part)[column].unique().tolist():
                found.setdefault(f"{part} {one}".strip(), []).append((table, part, column, one))
    wanted = {name: name.removeprefix("(market) ") for name in names}
    if absent := [name for name, plain in wanted.items() if plain not in found]:
        raise DataError(
            f"the lake has no imported rows of {shortened(absent)}. Name them as fleetcast data inspect --alternative "
            f"does, such as 'MSFT iv30'; figures of chains are removed with their 'SYMBOL {CHAINS}'."
        )
    removed = dict[str, int]()
    for name, plain in wanted.items():
        removed[name] = sum(lake.remove(*one) for one in found[plain])
        for table, symbol, _, _ in found[plain]:
            if table == "options":
                OptionFigures(lake).forget(symbol)
    return removed


def _of_files(path: str) -> Iterator[tuple[str, str, pd.DataFrame]]:
    for file, frame in read_files(path):
        yield str(file), file.stem, frame


def _embedded(kind: str) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Yield what ships with Fleetcast: synthetic headlines, or monthly economic series."""
    if kind == "text":
        headlines = demo_headlines().to_pandas()
        yield EMBEDDED, "synthetic", headlines.rename(columns={"known_from": "updated_at"})
    elif kind in ("macro", "series"):
        yield EMBEDDED, "arch", embedded_series()
    else:
        raise DataError(f"nothing of kind {kind} is embedded; expected text or macro. Give a file.")


def _facts(rows: pd.DataFrame, of: str, now: np.datetime64) -> dict[str, Any]:
    described = rows[of].dt.tz_localize(None).to_numpy("datetime64[ns]")
    known = rows["known_from"].dt.tz_localize(None).to_numpy("datetime64[ns]")
    units, counts = np.unique(described, return_counts=True)
    steps = np.diff(units).astype("timedelta64[s]").astype(float) / 86_400.0
    age = float((now - known.max()) / np.timedelta64(1, "s")) / 86_400.0
    lags = (known - described).astype("timedelta64[s]").astype(float) / 86_400.0
    return {
        "rows": len(rows),
        "first": str(units[0])[:10],
        "last": str(units[-1])[:10],
        "median_lag_days": round(float(np.median(lags)), 2),
        "most_vintages": int(counts.max()),
        "longest_gap_days": round(float(steps.max()), 1) if len(steps) else 0.0,
        "age_days": round(age, 1),
        "stopped": has_stopped(rows["at"].dt.tz_localize(None).to_numpy() if of == "at" else known, now),
        "revised_values": bool(rows["source"].str.contains("(revised values)", regex=False).any()),
        "sources": sorted(set(rows["source"])),
    }


def rows_of(kind: str, frame: pd.DataFrame, options: ReadingOptions) -> TableRows:
    """Return the rows of a frame of a kind of :data:`KINDS`."""
    read = _READERS[kind]
    if kind == "options" and "strike" not in frame.columns:
        read = read_option_days
    return read(frame, options)
