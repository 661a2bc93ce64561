"""Bars of many symbols on one calendar of instants, as matrices (T, S)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Dates = npt.NDArray[np.datetime64]

_USUAL = 0.99  # of the distances between bars: halts are not usual


class Before(NamedTuple):
    """What symbols had before the first row: the newest close (S,), 0 for none, and whether any volume (S,)."""

    close: Float
    traded: Mask


@dataclass(frozen=True, eq=False)
class Market:
    """Aligned bars. Prices are NaN, and volume is 0, where a symbol has no bar at an instant.

    ``dates`` (T,) ascending and unique; ``open high low close volume`` (T, S); ``dividends`` (T, S) is cash a share on
    the ex-date, or None where prices contain it; ``notes`` says which rows were left out; ``before`` is what
    symbols had before the first row, None for nothing.
    """

    dates: Dates
    symbols: tuple[str, ...]
    open: Float
    high: Float
    low: Float
    close: Float
    volume: Float
    dividends: Float | None = None
    notes: tuple[str, ...] = ()
    before: Before | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Instants and symbols."""
        return self.close.shape[0], self.close.shape[1]

    @cached_property
    def has_bar(self) -> Mask:
        """Where a symbol has a bar (T, S)."""
        return np.asarray(self.close == self.close)

    @cached_property
    def is_complete(self) -> bool:
        """Whether every symbol has a bar with volume at every instant."""
        return bool(self.tradable.all())

    @cached_property
    def has_volume(self) -> Mask:
        """Where a symbol has had volume in this bar or before (T, S); other series, as of currencies, have none."""
        traded = self.volume > 0
        if traded.all():
            return np.asarray(traded)
        known = np.logical_or.accumulate(traded, axis=0)
        return np.asarray(known if self.before is None else known | self.before.traded)

    @cached_property
    def all_have_volume(self) -> bool:
        """Whether :attr:`has_volume` is true everywhere."""
        return bool(self.has_volume.all())

    @cached_property
    def tradable(self) -> Mask:
        """Where an order can be filled (T, S): there is a bar, and its volume is not 0 in a series that has volume."""
        return np.asarray(self.has_bar & ((self.volume > 0) | ~self.has_volume))

    @cached_property
    def mark(self) -> Float:
        """The newest close (T, S), at which positions are valued; 0 before the first bar."""
        if self.has_bar.all():
            return self.close
        place = np.where(self.has_bar, np.arange(len(self.dates))[:, None], 0)
        np.maximum.accumulate(place, axis=0, out=place)
        found = np.take_along_axis(self.close, place, axis=0)
        if self.before is not None:
            return np.where(found == found, found, self.before.close)
        return np.nan_to_num(found, copy=False, nan=0.0)

    @cached_property
    def mark_before(self) -> Float:
        """The mark of the row before (T, S); 0 where there is none."""
        first = np.zeros((1, self.shape[1])) if self.before is None else self.before.close[None]
        return np.concatenate([first, self.mark[:-1]])

    @cached_property
    def first_bar(self) -> npt.NDArray[np.int64]:
        """Row of each symbol's first bar (S,)."""
        return np.asarray(self.has_bar.argmax(axis=0), dtype=np.int64)

    @cached_property
    def last_bar(self) -> npt.NDArray[np.int64]:
        """Row of each symbol's last bar (S,)."""
        return np.asarray(len(self.dates) - 1 - self.has_bar[::-1].argmax(axis=0), dtype=np.int64)

    @cached_property
    def has_ended(self) -> Mask:
        """Whether the bars of a symbol (S,) end before the market's by more than its usual weekends and holidays."""
        gaps = self.dates[-1] - self.dates[self.last_bar]
        found = np.asarray(gaps > np.timedelta64(0, "ns"))
        for s in np.flatnonzero(found):
            between = np.sort(np.diff(self.dates[self.has_bar[:, s]]))
            found[s] = not len(between) or gaps[s] > between[int(_USUAL * (len(between) - 1))]
        return found

    def select(self, symbols: tuple[str, ...]) -> Market:
        """Return the market of these symbols only, on the instants at which one of them has a bar."""
        if symbols == self.symbols:
            return self
        columns = [self.symbols.index(symbol) for symbol in symbols]
        rows = self.has_bar[:, columns].any(axis=1)
        cut = {name: getattr(self, name)[rows][:, columns] for name in ("open", "high", "low", "close", "volume")}
        dividends = None if self.dividends is None else self.dividends[rows][:, columns]
        before = None if self.before is None else Before(self.before.close[columns], self.before.traded[columns])
        return replace(self, dates=self.dates[rows], symbols=symbols, **cut, dividends=dividends, before=before)
