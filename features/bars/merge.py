"""Merging two imports of one symbol, and the fingerprint by which series are compared."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import numpy.typing as npt

from features.bars.schema import SymbolBars

VALUES = ("open", "high", "low", "close", "volume")
# A rebase (a new split or dividend) is a constant price ratio over at least so many common bars, within this tolerance.
_REBASE_BARS, _REBASE_TOLERANCE = 5, 1e-4


@dataclass(frozen=True, slots=True)
class Appended:
    """What an append changed: bars added, bars with revised values, and bars stored now (``held``).

    ``rebased`` is the ratio by which older prices were multiplied to match the newer import (1.0 for none).
    """

    symbol: str
    added: int
    revised: int
    held: int
    rebased: float = 1.0


def fingerprint(bars: SymbolBars) -> str:
    """Return the SHA-256 of a symbol's bars, 64 hexadecimal digits, equal for equal values on every machine."""
    digest = hashlib.sha256(f"{bars.symbol}\0{len(bars)}\0{bars.has_range:d}{bars.has_volume:d}".encode())
    digest.update(np.ascontiguousarray(bars.dates.astype("datetime64[ns]").astype("<i8")).data)
    for name in VALUES:
        digest.update(np.ascontiguousarray(getattr(bars, name) + 0.0, dtype="<f8").data)
    return digest.hexdigest()


def between(bars: SymbolBars, start: date | None, end: date | None) -> SymbolBars:
    """Return the bars from ``start`` to ``end``, both days included."""
    if start is None and end is None:
        return bars
    low = 0 if start is None else int(np.searchsorted(bars.dates, np.datetime64(start, "ns")))
    high = (
        len(bars) if end is None else int(np.searchsorted(bars.dates, np.datetime64(end, "D") + np.timedelta64(1, "D")))
    )
    return bars.take(slice(low, max(low, high)))


def merge(stored: SymbolBars | None, new: SymbolBars) -> tuple[SymbolBars, Appended]:
    """Return both series as one, sorted by date, and what changed. On a date that both have, ``new`` wins.

    If the closes of at least five common bars differ by one constant ratio, adjusted prices have a new basis (a split
    or dividend since): the stored prices are multiplied by it and their volume is divided by it.
    """
    if stored is None:
        return new, Appended(new.symbol, len(new), 0, len(new))
    _, old_rows, new_rows = np.intersect1d(stored.dates, new.dates, assume_unique=True, return_indices=True)
    ratio = _rebase_ratio(stored, new, old_rows, new_rows)
    if ratio != 1.0:
        stored = replace(
            stored,
            **{name: getattr(stored, name) * ratio for name in ("open", "high", "low", "close")},
            volume=stored.volume / ratio,
        )
    differs: npt.NDArray[np.bool_] = np.zeros(len(old_rows), bool)
    for name in VALUES:
        differs |= getattr(stored, name)[old_rows] != getattr(new, name)[new_rows]
    keep = np.ones(len(stored), bool)
    keep[old_rows] = False
    dates = np.concatenate([stored.dates[keep], new.dates])
    order = np.argsort(dates, kind="stable")
    columns = {name: np.concatenate([getattr(stored, name)[keep], getattr(new, name)])[order] for name in VALUES}
    merged = SymbolBars(
        symbol=new.symbol,
        dates=dates[order],
        **columns,
        has_range=bool((columns["high"] > columns["low"]).any()),
        has_volume=bool((columns["volume"] > 0).any()),
    )
    revised = len(old_rows) if ratio != 1.0 else int(differs.sum())
    return merged, Appended(new.symbol, len(new) - len(old_rows), revised, len(merged), ratio)


def _rebase_ratio(
    stored: SymbolBars, new: SymbolBars, old_rows: npt.NDArray[np.int64], new_rows: npt.NDArray[np.int64]
) -> float:
    if len(old_rows) < _REBASE_BARS or len(old_rows) == len(stored):
        return 1.0
    ratios = new.close[new_rows] / stored.close[old_rows]
    ratio = float(np.median(ratios))
    constant = np.abs(ratios / ratio - 1.0).max() < _REBASE_TOLERANCE
    return ratio if constant and abs(ratio - 1.0) > _REBASE_TOLERANCE else 1.0
