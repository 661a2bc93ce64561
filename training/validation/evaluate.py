"""What a predictor is worth on the test period: every row's forecast and losses, daily sums, scores by symbol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from training.data.examples import Examples, Int64
from training.predictors.bars_predictor import BarsPredictor
from training.tasks import task_of


@dataclass(frozen=True, slots=True)
class Evaluation:
    """``table`` has one row per (symbol, date) of the test period, with at least ``symbol, date, loss``.

    ``daily`` are additive sums per day, as arrays; ``per_symbol`` the scores of every symbol. Without test rows all
    three are empty. ``adapted`` is the predictor whose intervals or label sets have learned from the test outcomes, for
    bars after them.
    """

    table: pa.Table | None
    daily: dict[str, npt.NDArray[Any]]
    per_symbol: dict[str, dict[str, float]]
    adapted: BarsPredictor


def evaluate(predictor: BarsPredictor, examples: Examples) -> Evaluation:
    """Score a predictor on the test rows of its symbols, next to its baselines. The predictor does not change."""
    known = frozenset(examples.panel.symbols)
    examples = examples.select(tuple(symbol for symbol in predictor.symbols if symbol in known))
    rows, symbol = examples.panel_rows(examples.part("test"))
    if not len(rows):
        return Evaluation(None, {}, {name: {} for name in predictor.symbols}, predictor)
    position = {name: i for i, name in enumerate(predictor.symbols)}
    own = np.array([position[name] for name in examples.panel.symbols], np.int64)[symbol]
    found = task_of(predictor.kind).evaluate(predictor, examples, rows, symbol, own)
    table = _table(examples, rows, symbol, found.columns)
    return Evaluation(table, found.daily.to_arrays(), found.per_symbol, found.adapted)


def _table(examples: Examples, rows: Int64, symbol: Int64, values: dict[str, npt.NDArray[Any]]) -> pa.Table:
    names = pa.DictionaryArray.from_arrays(pa.array(symbol.astype(np.int32)), pa.array(list(examples.panel.symbols)))
    columns = {"symbol": names, "date": pa.array(examples.panel.dates[rows])}
    for name, array in values.items():
        columns[name] = pa.array(array.astype(np.float32) if array.dtype.kind == "f" else array)
    return pa.table(columns)
