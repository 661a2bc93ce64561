"""What a predictor is worth on the test period: every row's forecast and losses, daily sums, scores by symbol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from training.data.examples import Examples, Int64
from training.metrics.classification import log_loss_rows
from training.metrics.volatility import qlike_rows
from training.predictors.base import BasePredictor
from training.predictors.direction import CLASSES, PriceDirectionPredictor
from training.predictors.volatility import VolatilityPredictor
from training.validation.daily import DirectionDaily, VolatilityDaily
from training.validation.per_symbol import direction_by_symbol, volatility_by_symbol


@dataclass(frozen=True, slots=True)
class Evaluation:
    """``table`` has one row per (symbol, date) of the test period, with at least ``symbol, date, loss``.

    ``daily`` are additive sums per day, as arrays; ``per_symbol`` the scores of every symbol. Without test rows all
    three are empty.
    """

    table: pa.Table | None
    daily: dict[str, npt.NDArray[Any]]
    per_symbol: dict[str, dict[str, float]]


def evaluate(predictor: BasePredictor, examples: Examples) -> Evaluation:
    """Score a predictor on the test rows of its symbols, next to its baselines."""
    held = frozenset(examples.panel.symbols)
    examples = examples.select(tuple(symbol for symbol in predictor.symbols if symbol in held))
    rows, symbol = examples.places(examples.part("test"))
    if not len(rows):
        return Evaluation(None, {}, {name: {} for name in predictor.symbols})
    own = np.array([predictor.symbols.index(name) for name in examples.panel.symbols], np.int64)[symbol]
    if isinstance(predictor, PriceDirectionPredictor):
        return _direction(predictor, examples, rows, symbol, own)
    assert isinstance(predictor, VolatilityPredictor)
    return _volatility(predictor, examples, rows, symbol, own)


def _direction(
    predictor: PriceDirectionPredictor, examples: Examples, rows: Int64, symbol: Int64, own: Int64
) -> Evaluation:
    """Label sets adapt day by day to the outcomes known by then; the predictor keeps their last state to serve with."""
    panel, horizon = examples.panel, predictor.config.direction.horizon
    test = examples.part("test")
    columns = predictor.forecast(panel, test)
    baselines = predictor.baselines(panel, test)
    probabilities = np.stack([columns[name] for name in CLASSES], axis=1)
    labels = examples.targets[rows].astype(np.int64)
    sets = predictor.adapt_label_sets(probabilities, labels, own, panel.dates[rows + horizon])
    daily = DirectionDaily.from_predictions(panel.dates[rows], labels, probabilities, baselines, sets)
    values: dict[str, npt.NDArray[Any]] = {
        "loss": log_loss_rows(labels, probabilities),
        "label": labels.astype(np.int8),
    }
    values |= {f"p_{name}": probabilities[:, i] for i, name in enumerate(CLASSES)}
    values |= {f"in_set_{name}": sets[:, i] for i, name in enumerate(CLASSES)}
    values |= {f"loss_{name}": log_loss_rows(labels, table) for name, table in baselines.items()}
    scores = direction_by_symbol(panel.symbols, symbol, labels, probabilities, baselines, horizon)
    return Evaluation(_table(examples, rows, symbol, values), daily.to_arrays(), scores)


def _volatility(
    predictor: VolatilityPredictor, examples: Examples, rows: Int64, symbol: Int64, own: Int64
) -> Evaluation:
    """Intervals adapt bar by bar to the outcomes known by then; the predictor keeps their last state to serve with."""
    panel, horizon = examples.panel, predictor.config.volatility.horizon
    columns, others = predictor.forecast_with_baselines(panel, examples.part("test"))
    target, forecast = examples.targets[rows], columns["variance"]
    ends = predictor.adapt_intervals(np.log(target / forecast), own, panel.dates[rows + horizon])
    low, high = (forecast * np.exp(end) for end in ends.T)
    known = {name: np.isfinite(table) for name, table in others.items()}
    others = {name: np.where(known[name], table, forecast) for name, table in others.items()}
    daily = VolatilityDaily.from_predictions(panel.dates[rows], target, forecast, others, (low, high), known)
    values = {"loss": qlike_rows(target, forecast), "target": target, "forecast": forecast}
    values |= {"low": low, "high": high, "fallback": columns["fallback"]}
    values |= {f"loss_{name}": qlike_rows(target, table) for name, table in others.items()}
    scores = volatility_by_symbol(panel.symbols, symbol, target, forecast, others, horizon)
    return Evaluation(_table(examples, rows, symbol, values), daily.to_arrays(), scores)


def _table(
    examples: Examples,
    rows: npt.NDArray[np.int64],
    symbol: npt.NDArray[np.int64],
    values: dict[str, npt.NDArray[Any]],
) -> pa.Table:
    names = pa.DictionaryArray.from_arrays(pa.array(symbol.astype(np.int32)), pa.array(list(examples.panel.symbols)))
    columns = {"symbol": names, "date": pa.array(examples.panel.dates[rows])}
    for name, array in values.items():
        columns[name] = pa.array(array.astype(np.float32) if array.dtype.kind == "f" else array)
    return pa.table(columns)
