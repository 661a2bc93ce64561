"""Bar-by-bar outcomes of forecasts and their skill; equal to those of a complete `ForecastView`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from features.labels import CLASSES, DOWN, SIDEWAYS, UP
from training.strategy.class_returns import ClassReturns, normal_class_returns, shrunk
from training.strategy.series import Float, Ints, Mask
from training.strategy.skill import RunningSkill, Skill


class Snapshot(NamedTuple):
    """What was known at a bar, (…, S).

    ``sigma`` and ``k`` are those of :func:`.class_returns`; ``expected_return`` is in units of ``sigma``, and
    ``has_direction`` is 1 where there is a forecast.
    """

    close: Float
    sigma: Float
    k: Float
    expected_return: Float
    has_direction: Float


class KnownOutcomes(NamedTuple):
    """Outcomes (n,) that become known on a date, in order of the rows and columns of their forecasts."""

    row: Ints
    log_return: Float
    snapshot: Snapshot


class Pending:
    """The last ``horizon`` bars of each symbol, whose outcomes are not known yet."""

    def __init__(self, horizon: int, symbols: int) -> None:
        self._horizon = horizon
        self._bars = np.zeros(symbols, dtype=np.int64)
        self._row = np.full((horizon, symbols), -1, dtype=np.int64)
        self._snapshots = Snapshot(*(np.full((horizon, symbols), np.nan) for _ in Snapshot._fields))

    def pop_known(self, has_bar: Mask, close: Float) -> KnownOutcomes:
        """Return the outcomes that bars of a date make known."""
        columns = np.flatnonzero(has_bar & (self._bars >= self._horizon))
        place = self._bars[columns] % self._horizon, columns
        log_return = np.log(close[columns] / self._snapshots.close[place])
        row = self._row[place]
        order = np.lexsort((columns, row))
        snapshot = Snapshot(*(part[place][order] for part in self._snapshots))
        return KnownOutcomes(row[order], log_return[order], snapshot)

    def push(self, row: int, has_bar: Mask, snapshot: Snapshot) -> None:
        """Add the bars of a date, instead of those whose outcomes it made known."""
        columns = np.flatnonzero(has_bar)
        place = self._bars[columns] % self._horizon, columns
        self._row[place] = row
        for part, new in zip(self._snapshots, snapshot, strict=True):
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


class SkillTracker:
    """Running skill of past expected returns: the slope of outcomes on them."""

    def __init__(self, horizon: int) -> None:
        self._running = RunningSkill(horizon)

    def add(self, expected: Float, outcome: Float) -> None:
        """Add expected returns and outcomes (n,) that a date makes known; NaN where there is no forecast."""
        own, cross = expected * expected + 0.0 * outcome, expected * outcome
        self._running.add(*(_sum(values[np.isfinite(values)]) for values in (own, cross)))

    def skill(self) -> Skill:
        """Return the skill known now, each (1,)."""
        return self._running.skill()


def relative(known: KnownOutcomes, outcome: Float) -> tuple[Float, Float]:
    """Return expected returns and outcomes (n,), each less the median of those whose forecasts are of the same row."""
    outcomes = _less_median(known.row, outcome)
    return _less_median(known.row, np.where(np.isfinite(outcomes), known.snapshot.expected_return, np.nan)), outcomes


def _less_median(row: Ints, values: Float) -> Float:
    found = np.full(len(values), np.nan)
    for same in _groups(row, values):
        found[same] = values[same] - np.median(values[same])
    return found


def _groups(row: Ints, values: Float) -> Iterator[Mask]:
    known = np.isfinite(values)
    for one in np.unique(row[known]):
        yield known & (row == one)


def _sum(values: Float) -> float:
    """Return the sum in the order of the values, as :func:`.sums_by_row` adds them."""
    return float(np.bincount(np.zeros(len(values), dtype=np.int64), weights=values, minlength=1)[0])
