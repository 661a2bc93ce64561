"""Whether a new version becomes champion: a pure decision on both versions' losses over the same test rows."""

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

from training.clustered import long_run_se

Policy = Literal["auto", "always", "never"]

MAX_LOST_SYMBOLS = 0.1
MAX_CHANGED_TARGETS = 0.01

_COLUMNS = ("symbol", "date", "loss", "label", "target")
_DAY_NS = 86_400 * 10**9
_BLOCKS_HELD = 16
_FORCE = "promote it by hand with `fleetcast models promote` or with --promote always"


@dataclass(frozen=True)
class TestLosses:
    """A version's losses on its test period, read block by block.

    Attributes
    ----------
    version : str
        The version's name.
    symbols : mapping of str to int
        Symbol → the block that holds it.
    read : callable
        ``read(block, columns)`` returns that block's test table, or ``None`` if it has none: ``symbol``, ``date``
        (timestamp), ``loss`` (lower is better) and, where the kind has it, ``label`` or ``target``.
    """

    __test__: ClassVar[bool] = False

    version: str
    symbols: Mapping[str, int]
    read: Callable[[int, Sequence[str]], pa.Table | None]


@dataclass(frozen=True)
class Decision:
    """Whether to promote, and why. ``mean_difference`` is challenger minus champion: below zero is better."""

    promote: bool
    reason: str
    mean_difference: float | None = None
    standard_error: float | None = None
    n_days: int = 0
    n_pairs: int = 0


def decide(challenger: TestLosses, champion: TestLosses | None, policy: Policy = "auto", overlap: int = 0) -> Decision:
    r"""Decide whether the challenger becomes champion.

    The first version of a kind always does. After that, ``auto`` promotes a challenger whose mean loss over the
    rows (symbol, date) that both have tested is lower, unless it would stop serving more than a tenth of the
    champion's symbols, was trained for another target, or fails (loss not finite) where the champion does not.

    Parameters
    ----------
    challenger, champion
        Both sides; ``None`` for a kind without a champion.
    policy
        ``auto``, ``always`` or ``never``.
    overlap
        Days by which neighbouring forecasts overlap: the horizon minus one. It widens the standard error only.

    Returns
    -------
    Decision
        The difference's standard error is that of :math:`\bar d = \sum_i d_i / n` with the day as cluster, from
        the daily influences :math:`\psi_d = \sum_{i \in d} (d_i - \bar d) / n`.

    References
    ----------
    Diebold & Mariano (1995). Comparing predictive accuracy. J. Business & Economic Statistics 13, 253-263.
    """
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
    better = mean is not None and mean < 0
    reason = verdict if better else f"{verdict}; {_FORCE}"
    lost = [symbol for symbol in champion.symbols if symbol not in challenger.symbols]
    if policy != "auto":
        better, reason = policy == "always", f"--promote {policy} was asked for; {verdict}"
    elif paired.challenger_failures:
        better = False
        reason = f"its loss is not finite in {paired.challenger_failures} rows where the champion's is; {_FORCE}"
    elif n and paired.changed_targets > MAX_CHANGED_TARGETS * n:
        better = False
        reason = f"its target differs from the champion's in {paired.changed_targets} of {n} common rows; {_FORCE}"
    elif len(lost) > MAX_LOST_SYMBOLS * len(champion.symbols):
        better = False
        some = ", ".join(lost[:3]) + (", …" if len(lost) > 3 else "")
        reason = f"it lacks {len(lost)} of the champion's {len(champion.symbols)} symbols ({some}); {_FORCE}"
    return Decision(better, reason, mean, error, len(paired.counts), n)


@dataclass
class _Paired:
    """Paired differences by day: ``sums`` and ``counts`` (D,), and what stands against comparing them."""

    sums: npt.NDArray[np.float64]
    counts: npt.NDArray[np.float64]
    champion_total: float
    challenger_failures: int
    changed_targets: int


def _pair(challenger: TestLosses, champion: TestLosses) -> _Paired:
    """Join block by block: at most one block of the challenger and a few of the champion are held."""

    @lru_cache(maxsize=_BLOCKS_HELD)
    def champion_block(block: int) -> pa.Table | None:
        return champion.read(block, _COLUMNS)

    days: list[npt.NDArray[np.int64]] = []
    sums: list[npt.NDArray[Any]] = []
    counts: list[npt.NDArray[Any]] = []
    total, failures, changed = 0.0, 0, 0
    for block, symbols in _by_block(challenger.symbols).items():
        others = {champion.symbols[s] for s in symbols if s in champion.symbols}
        ours = challenger.read(block, _COLUMNS) if others else None
        tables = [table for other in sorted(others) if (table := champion_block(other)) is not None]
        if ours is None or not tables:
            continue
        known = pa.array(symbols)
        for theirs in tables:
            a, b, day = _common_rows(ours, theirs, known)
            challenger_loss, champion_loss = a["loss"], b["loss"]
            usable = np.isfinite(challenger_loss) & np.isfinite(champion_loss)
            failures += int((~np.isfinite(challenger_loss) & np.isfinite(champion_loss)).sum())
            changed += int((_differs(a, b) & usable).sum())
            total += float(champion_loss[usable].sum())
            unique, inverse = np.unique(day[usable], return_inverse=True)
            days.append(unique)
            sums.append(np.bincount(inverse, (challenger_loss - champion_loss)[usable], len(unique)))
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


_Rows = dict[str, npt.NDArray[np.float64]]


def _common_rows(ours: pa.Table, theirs: pa.Table, known: pa.Array) -> tuple[_Rows, _Rows, npt.NDArray[np.int64]]:
    """Return the rows of both tables with the same symbol (one of ``known``) and date, and their days."""
    keys = []
    for table in (ours, theirs):
        symbol = pc.index_in(table["symbol"].cast(pa.string()), value_set=known).fill_null(-1).to_numpy()
        date = table["date"].cast(pa.timestamp("ns")).cast(pa.int64()).to_numpy()
        keys.append((symbol.astype(np.int64), date))
    dates = np.unique(np.concatenate([date for _, date in keys]))
    codes = [symbol * len(dates) + np.searchsorted(dates, date) for symbol, date in keys]
    positions = [np.flatnonzero(symbol >= 0) for symbol, _ in keys]
    inside = [code[position] for code, position in zip(codes, positions, strict=True)]
    _, first, second = np.intersect1d(*inside, return_indices=True)
    rows = [positions[0][first], positions[1][second]]
    shared = [name for name in _COLUMNS[2:] if name in ours.column_names and name in theirs.column_names]
    a, b = (
        {name: table[name].cast(pa.float64()).to_numpy()[row] for name in shared}
        for table, row in zip((ours, theirs), rows, strict=True)
    )
    return a, b, keys[0][1][rows[0]] // _DAY_NS


def _differs(a: _Rows, b: _Rows) -> npt.NDArray[np.bool_]:
    """Whether the truth that both were tested against differs; a small revision of a variance does not count."""
    differs = np.zeros(len(a["loss"]), dtype=bool)
    if "label" in a:
        differs |= a["label"] != b["label"]
    if "target" in a:
        differs |= ~np.isclose(a["target"], b["target"], rtol=0.05, atol=0.0)
    return differs


def _finite(value: npt.NDArray[np.float64]) -> float | None:
    return float(value) if math.isfinite(value) else None


def _described(mean: float, error: float | None, paired: _Paired, n: int) -> str:
    champion = paired.champion_total / n
    word = "lower" if mean < 0 else "higher" if mean > 0 else "no lower"
    text = f"its test loss {champion + mean:.4f} is {word} than the champion's {champion:.4f}"
    where = f"{n} common rows on {len(paired.counts)} days"
    if error is None:
        return f"{text} over {where}, too few to tell from noise"
    clear = "clear of noise" if abs(mean) > 1.96 * error else "not distinguishable from noise"
    return f"{text} over {where} (difference {mean:+.4f}, standard error {error:.4f}: {clear})"
