"""Headline scores of every symbol, for the leaderboard's best and worst and for ``models show``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from training.metrics.classification import CLASSES, accuracy_of, check_direction, log_loss_rows, mcc_of
from training.metrics.clustered import long_run_se
from training.metrics.ratio import Array, Ints
from training.metrics.volatility import qlike_rows


def direction_by_symbol(
    symbols: Sequence[str],
    symbol_row: npt.ArrayLike,
    labels: npt.ArrayLike,
    probabilities: npt.ArrayLike,
    baselines: Mapping[str, npt.ArrayLike],
    horizon: int = 1,
) -> dict[str, dict[str, float]]:
    """Return per symbol ``rows``, scores, each baseline's log loss, and the paired difference from it.

    Keys of a baseline: ``log_loss_<name>``, ``log_loss_vs_<name>`` and ``log_loss_vs_<name>_se``.

    ``symbol_row`` (n,) says which symbol each row is of; a symbol's rows must be in order of time, because
    neighbours overlap over ``horizon`` bars. A symbol without rows has an empty dict.
    """
    y, p = check_direction(labels, probabilities)
    row = _symbol_row(symbol_row, len(y), len(symbols))
    loss = log_loss_rows(y, p)
    cells = (row * CLASSES + y) * CLASSES + p.argmax(axis=1)
    counts = np.bincount(cells, minlength=len(symbols) * CLASSES**2).astype(np.float64)
    confusion = counts.reshape(len(symbols), CLASSES, CLASSES)
    means = {"log_loss": loss} | {f"log_loss_{name}": log_loss_rows(y, q) for name, q in baselines.items()}
    scores = {"accuracy": accuracy_of(confusion), "mcc": mcc_of(confusion)}
    return _by_symbol(symbols, row, means, scores, "log_loss", tuple(baselines), horizon)


def volatility_by_symbol(
    symbols: Sequence[str],
    symbol_row: npt.ArrayLike,
    target: npt.ArrayLike,
    forecast: npt.ArrayLike,
    baselines: Mapping[str, npt.ArrayLike],
    horizon: int = 1,
) -> dict[str, dict[str, float]]:
    """Return per symbol ``rows``, ``qlike``, ``qlike_<baseline>`` and each paired ``qlike_vs_<baseline>`` with ``_se``.

    Rows whose target is exactly zero are left out, as in :class:`~training.metrics.daily.VolatilityDaily`.
    """
    y = np.asarray(target, dtype=np.float64)
    row, moved = _symbol_row(symbol_row, len(y), len(symbols)), y != 0
    tables = {"qlike": forecast} | {f"qlike_{name}": table for name, table in baselines.items()}
    means = {key: qlike_rows(y[moved], np.asarray(table)[moved]) for key, table in tables.items()}
    return _by_symbol(symbols, row[moved], means, {}, "qlike", tuple(baselines), horizon)


def _by_symbol(
    symbols: Sequence[str],
    row: Ints,
    means: Mapping[str, Array],
    scores: Mapping[str, Array],
    headline: str,
    others: tuple[str, ...],
    horizon: int,
) -> dict[str, dict[str, float]]:
    order = np.argsort(row, kind="stable")
    ends = np.cumsum(np.bincount(row, minlength=len(symbols)))
    values = np.stack([column[order] for column in means.values()], axis=1)
    out: dict[str, dict[str, float]] = {}
    for s, part in enumerate(np.split(values, ends[:-1])):
        if not len(part):
            out[symbols[s]] = {}
            continue
        gap = part[:, :1] - part[:, 1:]
        error = long_run_se((gap - gap.mean(axis=0)) / len(gap), horizon - 1)
        entry = {"rows": float(len(part))} | dict(zip(means, part.mean(axis=0).tolist(), strict=True))
        for name, difference, se in zip(others, gap.mean(axis=0).tolist(), error.tolist(), strict=True):
            entry |= {f"{headline}_vs_{name}": difference, f"{headline}_vs_{name}_se": se}
        out[symbols[s]] = entry | {key: float(score[s]) for key, score in scores.items()}
    return out


def _symbol_row(symbol_row: npt.ArrayLike, rows: int, symbols: int) -> Ints:
    row = np.asarray(symbol_row, dtype=np.int64)
    if row.shape != (rows,) or rows == 0 or row.min() < 0 or row.max() >= symbols:
        raise ValueError(f"symbol_row has shape {row.shape}; expected ({rows},) with values from 0 to {symbols - 1}")
    return row
