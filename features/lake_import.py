"""Import the bars of a source into the lake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from configs.errors import DataError
from features.bars.merge import Appended
from features.bars.quarantine import Quarantine
from features.bars.schema import SymbolBars
from features.sources import Source
from features.sources.base import read_lines
from features.store.concurrent import in_order
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


def import_bars(
    source: Source,
    store: Store,
    symbols: Sequence[str] = (),
    start: date | None = None,
    end: date | None = None,
    on_steps: Literal["rebase", "keep", "refuse"] = "rebase",
) -> ImportedBars:
    """Append the bars of a source to the lake, a few symbols at a time; ``on_steps`` as for :meth:`.Lake.append`.

    A symbol whose bars do not fit those of the lake is among the missing ones.

    Raises
    ------
    DataError
        The source has no bars of any symbol.
    """
    lake, appended, covered, refused = Lake(store), [], {}, dict[str, str]()

    def append(bars: SymbolBars) -> tuple[SymbolBars, Appended | DataError]:
        try:
            return bars, lake.append(bars, read_as=source.read_as.get(bars.symbol, ()), on_steps=on_steps)
        except DataError as error:
            return bars, error

    for bars, outcome in in_order(store, append, source.load(symbols, start, end)):
        if isinstance(outcome, DataError):
            refused[bars.symbol] = str(outcome).removeprefix(f"{bars.symbol}: ")
        else:
            appended.append(outcome)
            if lake.has_quarantine(bars.symbol):  # the dates of thousands of symbols would take much memory
                covered[bars.symbol] = bars.dates
    lake.record(source.quarantine, covered)
    if not appended:
        if refused and not source.missing:
            raise DataError(f"nothing was imported: {_reasons(refused)}")
        missing = _reasons(source.missing | refused)
        raise DataError(f"nothing was imported: {missing}. Correct the names, the period or the data.")
    read_as = tuple(read_lines(source.read_as))
    return ImportedBars(store.uri, appended, source.missing | refused, source.quarantine, read_as)


def _reasons(missing: Mapping[str, str]) -> str:
    shown = [f"{symbol}: {reason}" for symbol, reason in list(missing.items())[:3]]
    return "; ".join(shown) + (f"; and {len(missing) - 3} more" if len(missing) > 3 else "")
