"""Outcomes of forecasts, and what they were worth, bar by bar: the same numbers as those of a whole view."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from features.labels import CLASSES, DOWN, SIDEWAYS, UP
from training.strategy.class_returns import ClassReturns, normal_class_returns, shrunk
from training.strategy.series import Float, Ints, Mask
from training.strategy.skill import RunningSkill, Skill


class Seen(NamedTuple):
    """What was known at a bar, (…, S): its close, and σ, k of :func:`.class_returns`, promise and whether forecast."""

    close: Float
    sigma: Float
    k: Float
    promised: Float
    has_direction: Float


class Came(NamedTuple):
    """Outcomes that a date made known (n,), in order of the rows and columns of their forecasts."""

    row: Ints
    log_return: Float
    seen: Seen


class Pending:
    """The last ``horizon`` bars of each symbol, whose outcomes are not known yet."""

    def __init__(self, horizon: int, symbols: int) -> None:
        self._horizon = horizon
        self._bars = np.zeros(symbols, dtype=np.int64)
        self._row = np.full((horizon, symbols), -1, dtype=np.int64)
        self._seen = Seen(*(np.full((horizon, symbols), np.nan) for _ in Seen._fields))

    def came(self, has_bar: Mask, close: Float) -> Came:
        """Return the outcomes that bars of a date make known."""
        columns = np.flatnonzero(has_bar & (self._bars >= self._horizon))
        place = self._bars[columns] % self._horizon, columns
        log_return = np.log(close[columns] / self._seen.close[place])
        row = self._row[place]
        order = np.lexsort((columns, row))
        return Came(row[order], log_return[order], Seen(*(part[place][order] for part in self._seen)))

    def push(self, row: int, has_bar: Mask, seen: Seen) -> None:
        """Add the bars of a date, instead of those whose outcomes it made known."""
        columns = np.flatnonzero(has_bar)
        place = self._bars[columns] % self._horizon, columns
        self._row[place] = row
        for part, new in zip(self._seen, seen, strict=True):
            part[place] = new[columns]
        self._bars[columns] += 1


class Moments:
    """Sums of past outcomes by class, of which :class:`.ClassReturns` follow."""

    def __init__(self) -> None:
        self._days = np.zeros((1, len(CLASSES)), dtype=np.int64)
        self._sums = np.zeros((1, len(CLASSES), 3))

    def add(self, outcome: Float, k: Float) -> None:
        """Add the outcomes (n,) of a date, in units of σ, and the half widths of the sideways band (n,)."""
        up, down = outcome > k, outcome < -k
        sideways = np.isfinite(outcome) & np.isfinite(k) & ~up & ~down
        for label, mask in ((UP, up), (DOWN, down), (SIDEWAYS, sideways)):
            own = outcome[mask]
            self._days[0, label] += len(own) > 0
            self._sums[0, label] += [len(own), _sum(own), _sum(own * own)]

    def class_returns(self, k: Float) -> ClassReturns:
        """Return the moments (1, S, 3) to expect now for half widths k (1, S)."""
        return shrunk(normal_class_returns(k), self._days, self._sums)


class Worth:
    """What past promises were worth."""

    def __init__(self, horizon: int) -> None:
        self._running = RunningSkill(horizon)

    def add(self, promised: Float, outcome: Float) -> None:
        """Add what a date made known (n,); NaN for what is no forecast."""
        own, cross = promised * promised + 0.0 * outcome, promised * outcome
        self._running.add(*(_sum(values[np.isfinite(values)]) for values in (own, cross)))

    def skill(self) -> Skill:
        """Return the skill known now, each (1,)."""
        return self._running.skill()


def relative(came: Came, outcome: Float) -> tuple[Float, Float]:
    """Return promises and outcomes (n,) relative to the median of those that were made at the same row."""
    promises, outcomes = np.full(len(outcome), np.nan), np.full(len(outcome), np.nan)
    for same in _groups(came.row, outcome):
        outcomes[same] = outcome[same] - np.median(outcome[same])
    promised = np.where(np.isfinite(outcomes), came.seen.promised, np.nan)
    for same in _groups(came.row, promised):
        promises[same] = promised[same] - np.median(promised[same])
    return promises, outcomes


def _groups(row: Ints, values: Float) -> Iterator[Mask]:
    known = np.isfinite(values)
    for one in np.unique(row[known]):
        yield known & (row == one)


def _sum(values: Float) -> float:
    """Return the sum in the order of the values, as :func:`.sums_by_row` adds them."""
    return float(np.bincount(np.zeros(len(values), dtype=np.int64), weights=values, minlength=1)[0])
