"""Promotion: a pure decision on whether a new version becomes champion, from losses on common test rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from configs.words import counted, signed
from training.metrics.clustered import long_run_se

Float = npt.NDArray[np.float64]
Policy = Literal["auto", "always", "never"]

MAX_LOST_SYMBOLS = 0.1
MAX_CHANGED_TARGETS = 0.01
MAX_REVISION = 0.05

_COLUMNS = ("symbol", "date", "loss", "label", "target")
_DAY_NS = 86_400 * 10**9
_CACHED_BLOCKS = 64
_FORCE = "promote it by hand with `fleetcast models promote` or with --promote always"


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


@dataclass(frozen=True)
class Decision:
    """Whether to promote, and why; ``mean_difference`` is challenger minus champion, so negative is better."""

    promote: bool
    reason: str
    mean_difference: float | None = None
    standard_error: float | None = None
    n_days: int = 0
    n_pairs: int = 0


def decide(
    challenger: TestLosses,
    champion: TestLosses | None,
    policy: Policy = "auto",
    overlap: int = 0,
    worse_than: Sequence[str] = (),
) -> Decision:
    r"""Decide whether the challenger becomes champion.

    The first version of a kind does, unless it is worse than a baseline on its own test period. After that, ``auto``
    promotes a challenger whose mean loss over the rows (symbol, date) of both test periods is lower, or equal with
    weights that saw newer labels, unless it lacks more than a tenth of the champion's symbols, was trained for another
    target, or fails (loss not finite) where the champion does not.

    Parameters
    ----------
    challenger, champion
        Their test losses; ``None`` for a kind without a champion.
    policy
        ``auto``, ``always`` or ``never``.
    overlap
        Days by which neighbouring forecasts overlap: the horizon minus one. It only affects the standard error.
    worse_than
        Baselines that are better than the challenger on its test period, beyond two standard errors.

    Returns
    -------
    Decision
        The difference's standard error is that of :math:`\bar d = \sum_i d_i / n` with the day as cluster, from
        the daily influences :math:`\psi_d = \sum_{i \in d} (d_i - \bar d) / n`.

    References
    ----------
    Diebold & Mariano (1995). Comparing predictive accuracy. J. Business & Economic Statistics 13, 253-263.
    """
    if champion is None and worse_than and policy != "always":
        return Decision(False, f"on its own test period it is worse than {', '.join(worse_than)}; {_FORCE}")
    if champion is None:
        return Decision(True, "it is the first version of its kind")
    if challenger.version == champion.version:
        return Decision(False, "it is the champion already")
    paired = _pair(challenger, champion)
    n = int(paired.counts.sum())
    if n == 0:
        mean, error = None, None
        verdict = "it shares no test day of a symbol with the champion, so they cannot be compared"
    else:
        mean = float(paired.sums.sum() / n)
        error = _finite(long_run_se((paired.sums - mean * paired.counts) / n, overlap))
        verdict = _described(mean, error, paired, n)
    newer = mean == 0 and challenger.trained_to > champion.trained_to
    if newer:
        verdict += f"; its weights saw labels up to {challenger.trained_to}, the champion's to {champion.trained_to}"
    better = newer or (mean is not None and mean < 0)
    reason = verdict if better else f"{verdict}; {_FORCE}"
    lost = [symbol for symbol in champion.symbols if symbol not in challenger.symbols]
    if policy != "auto":
        better, reason = policy == "always", f"--promote {policy} was asked for; {verdict}"
    elif paired.challenger_failures:
        better = False
        reason = (
            f"its loss is not finite in {counted(paired.challenger_failures, 'row')} where the champion's is; {_FORCE}"
        )
    elif n and paired.changed_targets > MAX_CHANGED_TARGETS * n:
        better = False
        reason = f"its target differs from the champion's in {paired.changed_targets} of {n} common rows; {_FORCE}"
    elif len(lost) > MAX_LOST_SYMBOLS * len(champion.symbols):
        better = False
        examples = ", ".join(lost[:3]) + (", …" if len(lost) > 3 else "")
        reason = f"it lacks {len(lost)} of the champion's {len(champion.symbols)} symbols ({examples}); {_FORCE}"
    return Decision(better, reason, mean, error, len(paired.counts), n)


@dataclass
class _Paired:
    """Paired differences by day, ``sums`` and ``counts`` (D,), and the numbers of rows that cannot be compared."""

    sums: Float
    counts: Float
    champion_total: float
    challenger_failures: int
    changed_targets: int


def _pair(challenger: TestLosses, champion: TestLosses) -> _Paired:
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
        return _Paired(np.empty(0), np.empty(0), 0.0, failures, changed)
    unique, inverse = np.unique(np.concatenate(days), return_inverse=True)
    by_day = [np.asarray(np.bincount(inverse, np.concatenate(v), len(unique)), np.float64) for v in (sums, counts)]
    return _Paired(by_day[0], by_day[1], total, failures, changed)


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


def _finite(value: Float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _described(mean: float, error: float | None, paired: _Paired, n: int) -> str:
    champion = paired.champion_total / n
    word = "lower" if mean < 0 else "higher" if mean > 0 else "no lower"
    text = f"its test loss {champion + mean:.4f} is {word} than the champion's {champion:.4f}"
    where = f"{counted(n, 'common row')} on {counted(len(paired.counts), 'day')}"
    if error is None:
        return f"{text} over {where}, too few to distinguish from noise"
    clear = "clear of noise" if abs(mean) > 1.96 * error else "not distinguishable from noise"
    return f"{text} over {where} (difference {signed(mean)}, standard error {error:.4f}: {clear})"
