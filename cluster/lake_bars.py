"""Import bars into the lake, and inspect the bars of a source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from configs.errors import DataError
from features.bars.merge import VALUES, Appended
from features.bars.quarantine import Quarantine
from features.bars.sessions import fitting_calendar, session_gaps
from features.sources import Source
from features.sources.base import read_lines
from features.store.lake import Lake
from features.store.store import Store


@dataclass(frozen=True, slots=True)
class ImportedBars:
    """What an import changed in each symbol, the symbols without bars (with the reason), and the rows left out."""

    store: str
    appended: list[Appended]
    missing: dict[str, str]
    quarantine: Quarantine
    read_as: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class InspectedBars:
    """Rows, span, gaps and quarantined rows of each symbol, the symbols without bars, and the rows left out."""

    symbols: list[dict[str, Any]]
    missing: dict[str, str]
    quarantine: Quarantine
    read_as: tuple[str, ...] = ()


def import_bars(
    source: Source, store: Store, symbols: Sequence[str] = (), start: date | None = None, end: date | None = None
) -> ImportedBars:
    """Append the bars of a source to the store's lake, one symbol at a time.

    Raises
    ------
    DataError
        The source has no bars of any symbol.
    """
    lake, appended, covered = Lake(store), [], {}
    for bars in source.load(symbols, start, end):
        appended.append(lake.append(bars, read_as=source.read_as.get(bars.symbol, ())))
        covered[bars.symbol] = bars.dates
    lake.record(source.quarantine, covered)
    if not appended:
        raise DataError(f"nothing was imported: {_reasons(source.missing)}. Correct the names, the period or the data.")
    return ImportedBars(store.uri, appended, dict(source.missing), source.quarantine, tuple(read_lines(source.read_as)))


@dataclass(frozen=True, slots=True)
class PreviewedBars:
    """The first bars of each symbol as they would be imported, and what was decided and left out."""

    rows: list[dict[str, Any]]
    missing: dict[str, str]
    quarantine: Quarantine
    read_as: tuple[str, ...]


def preview_bars(source: Source, bars_per_symbol: int = 3) -> PreviewedBars:
    """Read all bars of a source and return the first ones of each symbol, without importing any."""
    rows: list[dict[str, Any]] = []
    for bars in source.load():
        for i in range(min(bars_per_symbol, len(bars))):
            values = {name: float(getattr(bars, name)[i]) for name in VALUES}
            stamp = str(bars.dates[i].astype("datetime64[s]")).replace("T00:00:00", "")
            rows.append({"symbol": bars.symbol, "date": stamp, **values})
    return PreviewedBars(rows, dict(source.missing), source.quarantine, tuple(read_lines(source.read_as)))


def inspect_bars(source: Source) -> InspectedBars:
    """Read all bars of a source, one symbol at a time, and compare their dates with the calendar that they fit."""
    rows: list[dict[str, Any]] = []
    for bars in source.load():
        calendar = fitting_calendar(bars.dates)
        gaps = [str(day)[:10] for day in session_gaps(bars.dates, calendar)] if calendar is not None else []
        span = {"first": str(bars.dates[0])[:10], "last": str(bars.dates[-1])[:10]}
        rows.append({"symbol": bars.symbol, "rows": len(bars), **span, "calendar": calendar, "gaps": gaps})
    lost = source.quarantine.lost()
    return InspectedBars(
        [{**row, "quarantined": lost.get(row["symbol"], 0)} for row in rows],
        dict(source.missing),
        source.quarantine,
        tuple(read_lines(source.read_as)),
    )


def _reasons(missing: Mapping[str, str]) -> str:
    shown = [f"{symbol}: {reason}" for symbol, reason in list(missing.items())[:3]]
    return "; ".join(shown) + (f"; and {len(missing) - 3} more" if len(missing) > 3 else "")
