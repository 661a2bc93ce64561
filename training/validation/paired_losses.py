"""Test losses of two versions, paired by symbol and date and summed by day, block by block."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from training.metrics.clustered import long_run_se
from training.metrics.comparison import Comparison

Float = npt.NDArray[np.float64]

MAX_REVISION = 0.05

_COLUMNS = ("symbol", "date", "loss", "label", "target")
_DAY_NS = 86_400 * 10**9
_CACHED_BLOCKS = 64


@dataclass(frozen=True)
class TestLosses:
    """The losses of a version on its test period, read block by block.

    Attributes
    ----------
    version
        The version's name.
    symbols
        The block that holds each symbol.
    read
        ``read(block, columns)`` returns the test table of a block, or ``None`` if it has none: ``symbol``, ``date``
        (timestamp), ``loss`` (lower is better) and, depending on the kind, ``label`` or ``target``.
    trained_to
        The last day of the labels that its published weights were fitted on, in ISO format; empty if not known.
    """

    __test__: ClassVar[bool] = False

    version: str
    symbols: Mapping[str, int]
    read: Callable[[int, Sequence[str]], pa.Table | None]
    trained_to: str = ""


@dataclass
class Paired:
    """Paired differences by day, ``sums`` and ``counts`` (D,), and the numbers of rows that cannot be compared."""

    sums: Float
    counts: Float
    champion_total: float
    challenger_failures: int
    changed_targets: int

    def difference(self, overlap: int) -> Comparison:
        r"""Return the mean difference per row and its standard error, clustered by day; NaN without any row.

        ``overlap`` are the days by which neighbouring forecasts overlap: the horizon minus one. With n rows, the error
        is that of :math:`\bar d = \sum_i d_i / n`, from the daily influences
        :math:`\psi_d = \sum_{i \in d} (d_i - \bar d) / n`.
        """
        rows = self.counts.sum()
        if not rows:
            return Comparison(np.nan, np.nan)
        mean = float(self.sums.sum() / rows)
        return Comparison(mean, float(long_run_se((self.sums - mean * self.counts) / rows, overlap)))


def pair(challenger: TestLosses, champion: TestLosses) -> Paired:
    """Join the test rows block by block, with one block of the challenger and a few of the champion in memory."""

    @lru_cache(maxsize=_CACHED_BLOCKS)
    def champion_block(block: int) -> pa.Table | None:
        return champion.read(block, _COLUMNS)

    days: list[npt.NDArray[np.int64]] = []
    sums: list[npt.NDArray[Any]] = []
    counts: list[npt.NDArray[Any]] = []
    total, failures, changed = 0.0, 0, 0
    for block, symbols in _by_block(challenger.symbols).items():
        known = pa.array([symbol for symbol in symbols if symbol in champion.symbols])
        ours = _Rows.of([challenger.read(block, _COLUMNS)] if len(known) else [], known)
        others = sorted({champion.symbols[symbol] for symbol in known.to_pylist()})
        theirs = _Rows.of([champion_block(other) for other in others], known)
        a, b = ours.common(theirs)
        usable = np.isfinite(a.loss) & np.isfinite(b.loss)
        failures += int((~np.isfinite(a.loss) & np.isfinite(b.loss)).sum())
        changed += int((a.differs(b) & usable).sum())
        total += float(b.loss[usable].sum())
        unique, inverse = np.unique(a.date[usable] // _DAY_NS, return_inverse=True)
        days.append(unique)
        sums.append(np.bincount(inverse, (a.loss - b.loss)[usable], len(unique)))
        counts.append(np.bincount(inverse, np.ones(len(inverse)), len(unique)))
    if not days:
        return Paired(np.empty(0), np.empty(0), 0.0, failures, changed)
    unique, inverse = np.unique(np.concatenate(days), return_inverse=True)
    by_day = [np.asarray(np.bincount(inverse, np.concatenate(v), len(unique)), np.float64) for v in (sums, counts)]
    return Paired(by_day[0], by_day[1], total, failures, changed)


def _by_block(symbols: Mapping[str, int]) -> dict[int, list[str]]:
    blocks: dict[int, list[str]] = {}
    for symbol, block in symbols.items():
        blocks.setdefault(block, []).append(symbol)
    return dict(sorted(blocks.items()))


@dataclass
class _Rows:
    """Rows of test tables, each (n,); ``symbol`` is a position among the requested symbols, ``date`` is in ns."""

    symbol: npt.NDArray[np.int64]
    date: npt.NDArray[np.int64]
    loss: Float
    label: Float
    target: Float

    @classmethod
    def of(cls, tables: Sequence[pa.Table | None], known: pa.Array) -> _Rows:
        """Return the rows of the symbols in ``known``; columns that a table lacks are NaN."""
        parts = []
        for table in (one for one in tables if one is not None):
            symbol = pc.index_in(table["symbol"].cast(pa.string()), value_set=known)
            inside = np.flatnonzero(symbol.is_valid().to_numpy())
            table, symbol = table.take(inside), symbol.take(inside)
            date = table["date"].cast(pa.timestamp("ns")).cast(pa.int64())
            parts.append([symbol.to_numpy().astype(np.int64), date.to_numpy(), *map(_column(table), _COLUMNS[2:])])
        if not parts:
            parts = [[np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), np.empty(0), np.empty(0)]]
        return cls(*(np.concatenate(column) for column in zip(*parts, strict=True)))

    def take(self, rows: npt.NDArray[np.intp]) -> _Rows:
        """Return these rows."""
        return _Rows(self.symbol[rows], self.date[rows], self.loss[rows], self.label[rows], self.target[rows])

    def common(self, other: _Rows) -> tuple[_Rows, _Rows]:
        """Return the rows of both with the same symbol and date, in the same order."""
        dates = np.unique(np.concatenate([self.date, other.date]))
        ours, theirs = (rows.symbol * len(dates) + np.searchsorted(dates, rows.date) for rows in (self, other))
        _, first, second = np.intersect1d(ours, theirs, return_indices=True)
        return self.take(first), other.take(second)

    def differs(self, other: _Rows) -> npt.NDArray[np.bool_]:
        """Return whether the observed outcomes (n,) differ; small revisions of a variance do not count."""
        label = (self.label != other.label) & np.isfinite(self.label) & np.isfinite(other.label)
        gap, both = np.abs(self.target - other.target), np.maximum(np.abs(self.target), np.abs(other.target))
        return np.asarray(label | (gap > MAX_REVISION * both))


def _column(table: pa.Table) -> Callable[[str], Float]:
    def values(name: str) -> Float:
        if name not in table.column_names:
            return np.full(table.num_rows, np.nan)
        return np.asarray(table[name].cast(pa.float64()).to_numpy())

    return values
