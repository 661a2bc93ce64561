"""Which way: what direction models are worth by horizon and by label, next to the class prior.

``python tests/benchmarks/bench_direction.py --bars BARS.parquet [--symbols N] [--horizons 1,5,21]
[--labels volatility,relative] [--train-end … --valid-end … --test-start … --test-end …]``

``volatility`` is the product's label, a return beyond 0.43 σ; ``relative`` the same of the return less the median of
all symbols on that day. The last line is JSON: ``cells``, each with ``horizon``, ``label``, the log loss of model and
prior and their difference, accuracy of the sign where it moved (and of the prior's), and ``rank_ic``, the mean over
days of the rank correlation between P(up) − P(down) and the return that followed, each with its error by day (``_se``).
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from typing import Any

import numpy as np
from bench_skill import longest_symbols
from skill_peers import daily_mean, daily_rank_correlation

from configs.load import load_config
from features.labels import forward_return, relative_labels
from features.sources import open_source
from features.splits import SplitRows, resolve_split
from features.store.store import Store
from training.data.examples import Examples
from training.metrics.classification import log_loss_rows
from training.predictors.input_bars import panel_of
from training.predictors.kinds.direction import PriceDirectionPredictor
from training.tasks import task_of

_CLASSES = ("down", "sideways", "up")


def relative(examples: Examples, horizon: int, k: float) -> Examples:
    """Return examples with the same rows whose classes are of returns relative to the day's median."""
    panel = examples.panel
    forward = np.concatenate([forward_return(panel.close[panel.rows(i)], horizon) for i in range(len(examples.rows))])
    targets = relative_labels(forward, panel.dates, panel.ewma_vol, horizon, k).astype(float)
    known = [targets[panel.rows(i)] >= 0 for i in range(len(examples.rows))]
    rows = tuple(SplitRows(*(part[ok[part]] for part in own)) for own, ok in zip(examples.rows, known, strict=True))
    return replace(examples, targets=targets, rows=rows)


def cell(examples: Examples, predictor: PriceDirectionPredictor, horizon: int) -> dict[str, Any]:
    """Score a fitted predictor on the test rows."""
    examples = examples.select(predictor.symbols)
    columns, others = (f(examples.panel, examples.part("test")) for f in (predictor.forecast, predictor.baselines))
    panel_rows, _ = examples.panel_rows(examples.part("test"))
    labels, dates = examples.targets[panel_rows].astype(int), examples.panel.dates[panel_rows]
    chance = np.stack([columns[name] for name in _CLASSES], axis=1)
    loss, prior = log_loss_rows(labels, chance), log_loss_rows(labels, others["prior"])
    difference = daily_mean(loss - prior, dates, horizon - 1)
    moved = labels != 1
    right = [(p[:, 2] > p[:, 0]) == (labels == 2) for p in (chance, others["prior"])]
    accuracy, usual = (daily_mean(r[moved].astype(float), dates[moved], horizon - 1) for r in right)
    forward = np.concatenate(
        [
            forward_return(examples.panel.close[examples.panel.rows(i)], horizon)[rows.test]
            for i, rows in enumerate(examples.rows)
        ]
    )
    return {
        "rows": len(labels),
        "log_loss": loss.mean(),
        "log_loss_prior": prior.mean(),
        "difference": difference[0],
        "difference_se": difference[1],
        "up_down_accuracy": accuracy[0],
        "up_down_accuracy_se": accuracy[1],
        "up_down_accuracy_prior": usual[0],
        **daily_rank_correlation(chance[:, 2] - chance[:, 0], forward, dates, horizon),
    }


def main() -> None:
    """Fit and score every cell."""
    given = _arguments().parse_args()
    start, cells = time.perf_counter(), []
    symbols = longest_symbols(given.bars, given.symbols)
    bars = list(open_source(given.bars, Store("memory://direction")).load(symbols))
    dates = [f"split.{name}={getattr(given, name)}" for name in ("train_end", "valid_end", "test_start", "test_end")]
    panel = None
    for horizon in map(int, given.horizons.split(",")):
        config = load_config("equities", overrides=[*dates, f"direction.horizon={horizon}"])
        panel = panel or panel_of(bars, bars, config, None, None)
        split = resolve_split(panel.dates, config.split, horizon)
        plain = task_of("direction").examples(panel, split, config)
        for label in given.labels.split(","):
            examples = plain if label == "volatility" else relative(plain, horizon, config.direction.label.k)
            predictor = PriceDirectionPredictor(config).fit_every(examples)
            found = cell(examples, predictor, horizon)
            cells.append({"horizon": horizon, "label": label} | {k: round(float(v), 5) for k, v in found.items()})
            print(json.dumps(cells[-1]), flush=True)
    print(json.dumps({"symbols": len(bars), "cells": cells, "seconds": round(time.perf_counter() - start, 1)}))


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bars", required=True)
    parser.add_argument("--symbols", type=int, default=120, help="those with the most bars")
    parser.add_argument("--horizons", default="1,5,21")
    parser.add_argument("--labels", default="volatility,relative")
    parser.add_argument("--train-end", default="2010-12-31")
    parser.add_argument("--valid-end", default="2011-12-31")
    parser.add_argument("--test-start", default="2012-02-01")
    parser.add_argument("--test-end", default="2014-12-31")
    return parser


if __name__ == "__main__":
    main()
