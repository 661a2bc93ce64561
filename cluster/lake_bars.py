"""Inspect the bars of a source, or of the lake."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from features.bars.arrays import VALUES
from features.bars.gaps import missing_bars
from features.bars.period import bar_period
from features.bars.quarantine import Quarantine
from features.bars.schema import SymbolBars
from features.bars.stale import stale_runs
from features.bars.steps import find_steps
from features.sources import Source
from features.sources.base import read_lines
from features.store.lake import Lake
from features.store.store import Store


@dataclass(frozen=True, slots=True)
class InspectedBars:
    """Rows, span, gaps, steps and quarantined rows of each symbol, the symbols without bars, and the rows left out."""

    symbols: list[dict[str, Any]]
    missing: dict[str, str]
    quarantine: Quarantine
    read_as: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PreviewedBars:
    """The first bars of each symbol as they would be imported, all symbols, and what was decided and left out.

    ``symbols`` have the number of bars, the first and last date and the steps of each.
    """

    rows: list[dict[str, Any]]
    symbols: list[dict[str, Any]]
    missing: dict[str, str]
    quarantine: Quarantine
    read_as: tuple[str, ...]


def preview_bars(source: Source, bars_per_symbol: int = 3) -> PreviewedBars:
    """Read all bars of a source and return the first ones of each symbol, without importing any."""
    rows, symbols = list[dict[str, Any]](), list[dict[str, Any]]()
    for bars in source.load():
        symbols.append({"symbol": bars.symbol, "rows": len(bars), **_span(bars), "steps": find_steps(bars)})
        for i in range(min(bars_per_symbol, len(bars))):
            values = {name: float(getattr(bars, name)[i]) for name in VALUES}
            stamp = str(bars.dates[i].astype("datetime64[s]")).replace("T00:00:00", "")
            rows.append({"symbol": bars.symbol, "date": stamp, **values})
    return PreviewedBars(rows, symbols, dict(source.missing), source.quarantine, tuple(read_lines(source.read_as)))


def symbols_of_lake(store: Store, given: Sequence[str]) -> list[str]:
    """Return what is given if all of it are symbols of the lake and none is a path, else nothing."""
    named = [name for name in given if not os.path.exists(name)]
    return named if named and len(named) == len(given) and set(named) <= set(Lake(store).symbols()) else []


def inspect_bars(source: Source, symbols: Sequence[str] = ()) -> InspectedBars:
    """Read the bars of a source, symbol by symbol, and list the bars that they lack by their period and calendar.

    All symbols by default.
    """
    rows: list[dict[str, Any]] = []
    for bars in source.load(symbols):
        period = bar_period(bars.dates)
        calendar, missing = missing_bars(bars.dates, period)
        kind = {"period": period.name, "bars_per_year": round(period.bars_per_year, 1), "calendar": calendar}
        found = {"steps": find_steps(bars), "stale": stale_runs(bars)}
        gaps = [str(day)[:10] for day in missing]
        rows.append({"symbol": bars.symbol, "rows": len(bars), **_span(bars), **kind, "gaps": gaps, **found})
    lost = source.quarantine.lost()
    return InspectedBars(
        [{**row, "quarantined": lost.get(row["symbol"], 0)} for row in rows],
        dict(source.missing),
        source.quarantine,
        tuple(read_lines(source.read_as)),
    )


def _span(bars: SymbolBars) -> dict[str, str]:
    return {"first": str(bars.dates[0])[:10], "last": str(bars.dates[-1])[:10]}
