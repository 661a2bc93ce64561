"""Ranking of symbols by how much better than its baseline a version forecasts them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

_PREFERRED = ("loss_prior", "loss_log_har_pooled", "loss_log_har")


@dataclass(frozen=True)
class SymbolScore:
    """A symbol's mean test loss, the mean loss of a baseline over the same rows, and the baseline's name."""

    symbol: str
    rows: int
    loss: float
    baseline_loss: float | None
    baseline: str | None

    @property
    def gain(self) -> float:
        """Baseline loss minus loss; without a baseline, minus the loss."""
        return (self.baseline_loss or 0.0) - self.loss


def rank_symbols(tables: Iterable[pa.Table]) -> list[SymbolScore]:
    """Return the scores of all symbols, the largest gain first.

    The baseline is the class prior or pooled log-HAR, else the first ``loss_*`` column. A symbol must not be in two
    tables. A missing or NaN loss makes a symbol's score NaN; such symbols come last.
    """
    scores = []
    for table in tables:
        others = [name for name in table.column_names if name.startswith("loss_")]
        column = next((name for name in _PREFERRED if name in others), min(others, default=None))
        wanted = [("loss", "mean"), *([(column, "mean")] if column else []), ("loss", "count")]
        plain = table.select(["symbol", "loss", *([column] if column else [])])
        for row in plain.group_by("symbol").aggregate(wanted).to_pylist():
            baseline = row[f"{column}_mean"] if column else None
            name = column.removeprefix("loss_") if column else None
            loss = float("nan") if row["loss_mean"] is None else row["loss_mean"]
            scores.append(SymbolScore(row["symbol"], row["loss_count"], loss, baseline, name))
    return sorted(scores, key=lambda score: (score.gain != score.gain, -score.gain, score.symbol))
