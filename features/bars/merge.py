"""Merging two imports of one symbol, and the fingerprint by which series are compared."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

import numpy as np
import numpy.typing as npt

from configs.errors import DataError
from features.bars.arrays import VALUES
from features.bars.joining import day_twice, joined, unlike_periods
from features.bars.schema import SymbolBars
from features.bars.step_causes import factor_of
from features.bars.steps import Step, find_steps

# A rebase (a new split or dividend) is a constant price ratio over at least so many common bars, within this tolerance.
_REBASE_BARS, _REBASE_TOLERANCE = 5, 1e-4


@dataclass(frozen=True, slots=True)
class Appended:
    """What an append changed: bars added, bars with revised values, and bars ``stored`` now.

    ``rebased`` is the ratio by which older prices were multiplied to match the newer import (1.0 for none). ``steps``
    are the steps and spikes among the imported bars and where they meet the stored ones, and ``seam`` those of the two
    series that neither has alone.
    """

    symbol: str
    added: int
    revised: int
    stored: int
    rebased: float = 1.0
    steps: tuple[Step, ...] = ()
    seam: tuple[Step, ...] = ()


def fingerprint(bars: SymbolBars) -> str:
    """Return the SHA-256 of a symbol's bars, 64 hexadecimal digits, equal for equal values on every machine."""
    digest = hashlib.sha256(f"{bars.symbol}\0{len(bars)}\0{bars.has_range:d}{bars.has_volume:d}".encode())
    digest.update(np.ascontiguousarray(bars.dates.astype("datetime64[ns]").astype("<i8")).data)
    for name in VALUES:
        digest.update(np.ascontiguousarray(getattr(bars, name) + 0.0, dtype="<f8").data)
    for row in bars.split_rows:
        digest.update(f"split {row} {bars.ratio_at(row)!r}".encode())
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


def merge(
    stored: SymbolBars | None, new: SymbolBars, on_steps: Literal["rebase", "keep", "refuse"] = "rebase"
) -> tuple[SymbolBars, Appended]:
    """Return both series as one, sorted by date, and what changed. On a date that both have, ``new`` wins.

    If the closes of at least five common bars differ by one constant ratio, or those of fewer by a split's, adjusted
    prices have a new basis (a split or dividend since): the stored prices are multiplied by it and their volume is
    divided by it. With ``on_steps`` ``keep`` they are not; with ``refuse`` this is an error, as is a step where the two
    series meet.

    Raises
    ------
    DataError
        The series have bars of different periods, or of one day at different times; or see ``on_steps``.
    """
    if stored is None:
        return new, Appended(new.symbol, len(new), 0, len(new), steps=find_steps(new))
    if (periods := unlike_periods(stored, new)) is not None:
        span, (old, given) = f"{str(stored.dates[0])[:10]} to {str(stored.dates[-1])[:10]}", periods
        raise DataError(
            f"{new.symbol}: the lake has {old.name} bars ({len(stored):,}, {span}), the given ones are {given.name}. "
            f"Give them another name (--symbol {new.symbol}_{given.name}), or drop the stored ones first: "
            f"fleetcast data remove {new.symbol}"
        )
    _, old_rows, new_rows = np.intersect1d(stored.dates, new.dates, assume_unique=True, return_indices=True)
    ratio = 1.0 if on_steps == "keep" else _rebase_ratio(stored, new, old_rows, new_rows)
    if ratio != 1.0 and on_steps == "refuse":
        raise DataError(
            f"{new.symbol}: the given closes are {ratio:.6g} times the stored ones of the same {len(old_rows)} bars. "
            "Import the whole history again, or give --on-steps rebase."
        )
    before = stored
    if ratio != 1.0:
        stored = replace(
            stored,
            **{name: getattr(stored, name) * ratio for name in ("open", "high", "low", "close")},
            volume=stored.volume / ratio,
        )
    differs: npt.NDArray[np.bool_] = np.zeros(len(old_rows), bool)
    for name in VALUES:
        differs |= getattr(stored, name)[old_rows] != getattr(new, name)[new_rows]
    merged = joined(stored, new)
    if times := day_twice(merged):
        raise DataError(
            f"{merged.symbol}: the stored and the given bars have one day twice ({times}). Import session dates "
            f"without a time, or drop the stored bars first: fleetcast data remove {merged.symbol}"
        )
    revised = len(old_rows) if ratio != 1.0 else int(differs.sum())
    steps, seam = _steps_at(merged, before, new)
    if seam and on_steps == "refuse":
        raise DataError(
            f"{new.symbol}: the price steps where the given bars meet the stored ones ({seam[0]}). Import the whole "
            "history again, so that all of it has one scale."
        )
    return merged, Appended(new.symbol, len(new) - len(old_rows), revised, len(merged), ratio, steps, seam)


def _rebase_ratio(
    stored: SymbolBars, new: SymbolBars, old_rows: npt.NDArray[np.int64], new_rows: npt.NDArray[np.int64]
) -> float:
    if not len(old_rows) or len(old_rows) == len(stored):
        return 1.0
    ratios = new.close[new_rows] / stored.close[old_rows]
    ratio = float(np.median(ratios))
    if len(old_rows) < _REBASE_BARS and (_reaches_back(stored, new) or not factor_of(ratio)):
        return 1.0
    constant = np.abs(ratios / ratio - 1.0).max() < _REBASE_TOLERANCE
    return ratio if constant and abs(ratio - 1.0) > _REBASE_TOLERANCE else 1.0


def _reaches_back(stored: SymbolBars, new: SymbolBars) -> bool:
    """Whether the new bars end before the stored ones: a revision of a few old bars is no new basis of all."""
    return bool(new.dates[-1] < stored.dates[-1])


def _steps_at(merged: SymbolBars, stored: SymbolBars, new: SymbolBars) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
    """Return the steps among the new bars and at their ends, and those of them that are where the two series meet."""
    steps = find_steps(merged)
    if not steps:
        return (), ()
    end = int(np.searchsorted(merged.dates, new.dates[-1], side="right"))
    last = merged.dates[min(end, len(merged) - 1)]
    near = tuple(step for step in steps if new.dates[0] <= step.date <= last)
    known = {step.date for series in (stored, new) for step in find_steps(series)}
    return near, tuple(step for step in near if step.date not in known)
