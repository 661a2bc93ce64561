"""What the age of a model costs, and what fitting it again on everything known gains.

``python tests/benchmarks/bench_refit.py --bars BARS.parquet [--context SERIES.parquet] [--symbols 60]
[--years 2007,2009,2011,2013] [--ages 1,2,4] [--kinds direction,volatility] [--set a.b=c …]``

For each test year, models are fitted with the same settings and scored on the same rows. A model of age A years knows
nothing of the A years before the test year: its calibration ends A years before, its weights one year earlier. Age 0 is
a first fit up to the test year. ``refit`` is what a run publishes: the model of age 1, which the year before the test
year has tested, fitted again with its own choices (features, ridge, epochs) up to the test year.

The last line is JSON: ``years`` by kind, and by kind ``loss`` (QLIKE, or log loss in nats) of ``refit``, ``0``, ``1``,
… over all test years; ``difference`` of each from ``refit`` and its day-clustered standard error ``difference_se``,
positive where ``refit`` is better; and ``by_year``. ``refit`` against ``1`` is what publishing the tested model as it
stands would cost.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from bench_skill import chosen_series, longest_symbols

from configs.load import load_config
from configs.schema import Config
from features.context_source import load_context
from features.panel import Panel
from features.sources import open_source
from features.splits import Split
from features.store.store import Store
from training.metrics.clustered import day_jackknife
from training.metrics.ratio import ratio
from training.predictors import BarsPredictor, predictor_class
from training.predictors.input_bars import panel_of
from training.tasks import Task, task_of
from training.validation.evaluate import evaluate

Losses = Mapping[str, pd.Series]


def split_of(year: int, age: int, horizon: int) -> Split:
    """Return the split whose calibration ends ``age`` years before the test ``year``, after a year of it."""
    first, day = np.datetime64(f"{year - age}-01-01", "ns"), np.timedelta64(1, "D")
    start = np.datetime64(f"{year - age - 1}-01-01", "ns")
    test, end = np.datetime64(f"{year}-01-01", "ns"), np.datetime64(f"{year + 1}-01-01", "ns")
    return Split(start - day, start, first - day, test, end - day, purge=horizon)


def fitted(task: Task, config: Config, panel: Panel, year: int, ages: Sequence[int]) -> dict[str, BarsPredictor]:
    """Return the models of each age and the one that is fitted again."""
    horizon = config.section(task.kind).horizon
    found: dict[str, BarsPredictor] = {}
    for age in sorted({0, 1, *ages}):
        examples = task.examples(panel, split_of(year, age, horizon), config)
        found[str(age)] = predictor_class(task.kind)(config).fit_every(examples)
    # The year before the test year has tested the model of age 1.
    known = replace(split_of(year, 1, horizon), test_end=np.datetime64(f"{year}-01-01", "ns") - np.timedelta64(1, "D"))
    newest = task.examples(panel, known, config, newest=True)
    return {"refit": predictor_class(task.kind)(config).fit_every(newest, found["1"]), **found}


def losses_of(task: Task, config: Config, panel: Panel, year: int, models: Mapping[str, BarsPredictor]) -> Losses:
    """Return each model's loss by (date, symbol) on the test year, of the symbols that all of them hold."""
    examples = task.examples(panel, split_of(year, 0, config.section(task.kind).horizon), config)
    common = set.intersection(*(set(model.symbols) for model in models.values()))
    out = {}
    for name, model in models.items():
        table = evaluate(model, examples.select(tuple(s for s in panel.symbols if s in common))).table
        if table is not None:
            frame = table.select(["date", "symbol", "loss"]).to_pandas()
            out[name] = frame.astype({"symbol": str}).set_index(["date", "symbol"])["loss"].astype(float)
    return out


def figures(losses: Losses, overlap: int) -> dict[str, Any]:
    """Return mean losses, and differences from ``refit`` with errors clustered by day."""
    table = pd.DataFrame(losses)
    daily, count = table.groupby("date").sum(), table.groupby("date").size().to_numpy(float)
    out: dict[str, Any] = {"rows": len(table), "loss": table.mean().round(6).to_dict()}
    out |= {"difference": {}, "difference_se": {}}
    for name in table.columns.drop("refit"):
        total = (daily[name] - daily["refit"]).to_numpy()
        value, error = day_jackknife(ratio, (total, count), overlap)
        out["difference"][name], out["difference_se"][name] = round(float(value), 6), round(float(error), 6)
    return out


def main() -> None:
    """Fit, score and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bars", required=True)
    parser.add_argument("--context")
    parser.add_argument("--symbols", type=int, default=60)
    parser.add_argument("--years", default="2007,2009,2011,2013")
    parser.add_argument("--ages", default="1,2,4")
    parser.add_argument("--kinds", default="direction,volatility")
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    given = parser.parse_args()
    overrides = [f"data.bars={json.dumps(given.bars)}"]
    if given.context:
        overrides.append(f"data.context.path={json.dumps(given.context)}")
        overrides.append(f"data.context.kinds={json.dumps(chosen_series(given.context, []))}")
    config, store = load_config("equities", overrides=[*overrides, *given.overrides]), Store(".")
    source, started = open_source(given.bars, store), time.perf_counter()
    bars = list(source.load(longest_symbols(given.bars, given.symbols)))
    panel = panel_of(bars, bars, config, load_context(source, config, store), None)
    years, ages = ([int(one) for one in text.split(",")] for text in (given.years, given.ages))
    report: dict[str, Any] = {"symbols": len(bars), "years": years}
    for kind in given.kinds.split(","):
        task, by_year = task_of(kind), dict[int, Losses]()
        for year in years:
            by_year[year] = losses_of(task, config, panel, year, fitted(task, config, panel, year, ages))
            print(f"{kind} {year}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
        names = list(by_year[years[0]])
        every = {name: pd.concat([by_year[year][name] for year in years]) for name in names}
        overlap = config.section(kind).horizon - 1
        report[kind] = figures(every, overlap)
        report[kind]["by_year"] = {year: figures(losses, overlap) for year, losses in by_year.items()}
        print(f"{kind}: {'QLIKE' if kind == 'volatility' else 'log loss'} less that of the model fitted again")
        for name, value in report[kind]["difference"].items():
            print(f"  age {name}: {value:+.5f} ± {report[kind]['difference_se'][name]:.5f}")
    report["seconds"] = round(time.perf_counter() - started, 1)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
