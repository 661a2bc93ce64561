"""What the models are worth on small universes: random symbols over random windows of time, next to their baselines.

``python tests/benchmarks/bench_small.py --bars BARS.parquet [--draws N] [--cells 1x252,5x600 …] [--kinds …] [--workers
N] [--asset-class NAME] [--after DATE] [--seed N]``

Each draw takes S symbols and N bars, fits both predictors with the default settings and split, and scores the test part
bar by bar, as `fleetcast train` does. ``--asset-class`` keeps the symbols of one class of a file with such a column;
``--after`` only draws windows whose test part begins on or after that day.

The last line is JSON. ``cells``: per size the mean over draws of QLIKE (``model``, ``ewma``, ``garch``, ``log_har``,
``log_har_pooled``), ``worst_ratio``, the largest ratio of the model to the best baseline in any draw,
``share_worse_10``, the share of draws more than 10 % worse than log-HAR, ``coverage`` of the 90 % intervals over all
rows and ``outside``, the rows whose forecast lies outside its own interval; for direction the log losses and
``worst_excess``, the largest excess over the class prior in any draw. A baseline that has no forecast in any draw of a
cell is null there, and a draw in which it has none does not count for it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from threadpoolctl import threadpool_limits

from features.bars.schema import SymbolBars
from features.sources import open_source
from features.store.store import Store

CELLS = ((1, 252), (1, 500), (1, 750), (1, 1250), (1, 2500), (5, 600), (5, 1250), (20, 1250), (50, 2500))
_BASELINES = ("ewma", "garch", "log_har", "log_har_pooled")
_TEST_SHARE = 0.2


def load(path: str, asset_class: str | None) -> list[SymbolBars]:
    """Return the bars of all symbols, or of those of one class."""
    known = None
    if asset_class:
        table = pq.read_table(path, columns=["symbol", "asset_class"]).to_pandas().drop_duplicates()
        known = set(table.loc[table["asset_class"] == asset_class, "symbol"])
        if not known:
            raise SystemExit(f"no symbol of class {asset_class!r}; there are {sorted(set(table['asset_class']))}")
    return [one for one in open_source(path, Store("memory://small")).load([]) if known is None or one.symbol in known]


def draw(bars: list[SymbolBars], symbols: int, length: int, generator: np.random.Generator, after: str | None) -> list:
    """Return random symbols over one random stretch of the calendar of one of them, about ``length`` bars each."""
    first_test = None if after is None else np.datetime64(after)
    for _ in range(1000):
        leader = bars[int(generator.integers(len(bars)))]
        if len(leader) < length:
            continue
        start = int(generator.integers(len(leader) - length + 1))
        days = leader.dates[start : start + length]
        if first_test is not None and days[int(length * (1 - _TEST_SHARE))] < first_test:
            continue
        if symbols == 1:
            return [_between(leader, days[0], days[-1])]
        parts = [part for one in bars if len(part := _between(one, days[0], days[-1])) >= 0.98 * length]
        if len(parts) >= symbols:
            return [parts[i] for i in generator.choice(len(parts), symbols, replace=False)]
    raise SystemExit(f"no {symbols} symbols share {length} bars" + (f" tested after {after}" if after else ""))


def score(kind: str, bars: list[SymbolBars]) -> dict[str, Any]:
    """Fit and score one draw."""
    from training.predictors import predictor_class
    from training.validation.evaluate import evaluate

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        predictor = predictor_class(kind)()
        try:
            examples = predictor.examples(bars)
            with threadpool_limits(1):  # small fits on two threads mostly wait for each other
                predictor.fit_every(examples)
            table = evaluate(predictor, examples).table
        except Exception as error:
            return {"error": f"{type(error).__name__}: {error}"}
    if table is None:
        return {"error": "no test row has a known target"}
    values = {name: np.asarray(table[name]) for name in table.column_names if name not in ("symbol", "date")}
    out: dict[str, Any] = {"model": float(values["loss"].mean()), "failed": len(bars) - len(predictor.symbols)}
    if kind == "direction":
        return out | {"prior": float(values["loss_prior"].mean())}
    for name in _BASELINES:
        # A baseline without a forecast repeats the model's, so that it is no baseline there.
        borrowed = values[f"loss_{name}"] == values["loss"]
        out[name] = None if borrowed.all() else float(values[f"loss_{name}"].mean())
    low, high, target, forecast = (values[name] for name in ("low", "high", "target", "forecast"))
    out |= {"rows": len(target), "covered": int(((low <= target) & (target <= high)).sum())}
    return out | {
        "outside": int(((forecast < low) | (forecast > high)).sum()),
        "fallback": int(values["fallback"].sum()),
    }


def volatility_cell(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Summarise the draws of one cell."""
    best = np.array([min(one[name] for name in _BASELINES if one[name] is not None) for one in results])
    model = np.array([one["model"] for one in results])
    own = np.array([one["log_har"] if one["log_har"] is not None else np.nan for one in results])
    means = {name: [one[name] for one in results if one[name] is not None] for name in _BASELINES}
    return {
        "model": _rounded(model.mean()),
        **{name: _rounded(np.mean(values)) if values else None for name, values in means.items()},
        "worst_ratio": _rounded((model / best).max()),
        "share_worse_10": _rounded((model > 1.1 * own).mean()),
        "coverage": _rounded(sum(one["covered"] for one in results) / sum(one["rows"] for one in results)),
        "outside": sum(one["outside"] for one in results),
        "fallback": sum(one["fallback"] for one in results),
    }


def direction_cell(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Summarise the draws of one cell."""
    model, prior = (np.array([one[name] for one in results]) for name in ("model", "prior"))
    return {
        "model": _rounded(model.mean()),
        "prior": _rounded(prior.mean()),
        "worst_excess": _rounded((model - prior).max()),
    }


def main() -> None:
    """Draw, fit, score and print."""
    given = _arguments().parse_args()
    start, bars = time.perf_counter(), load(given.bars, given.asset_class)
    cells, kinds = [], given.kinds.split(",")
    chosen = CELLS if given.cells is None else tuple(tuple(map(int, c.split("x"))) for c in given.cells.split(","))
    with ProcessPoolExecutor(given.workers) as pool:
        for symbols, length in chosen:
            count = given.draws or (40 if symbols == 1 else 8 if symbols <= 20 else 6)
            generator = np.random.default_rng([given.seed, symbols, length])
            draws = [draw(bars, symbols, length, generator, given.after) for _ in range(count)]
            cell: dict[str, Any] = {"symbols": symbols, "bars": length, "draws": count, "failed": 0}
            for kind in kinds:
                results = list(pool.map(score, [kind] * count, draws))
                failed = [one for one in results if "error" in one]
                cell["failed"] += len(failed) + sum(one.get("failed", 0) for one in results)
                for one in failed[:3]:
                    print(f"{symbols} x {length}, {kind}: {one['error']}", file=sys.stderr)
                whole = [one for one in results if "error" not in one]
                summary = volatility_cell if kind == "volatility" else direction_cell
                cell[kind] = summary(whole) if whole else None
            cells.append(cell)
            print(json.dumps(cell), flush=True)
    document = {
        "bars": Path(given.bars).name,
        "asset_class": given.asset_class,
        "after": given.after,
        "seed": given.seed,
    }
    print(json.dumps(document | {"cells": cells, "seconds": round(time.perf_counter() - start, 1)}))


def _between(bars: SymbolBars, first: np.datetime64, last: np.datetime64) -> SymbolBars:
    start, stop = np.searchsorted(bars.dates, first), np.searchsorted(bars.dates, last, side="right")
    return bars.take(slice(int(start), int(stop)))


def _rounded(value: float) -> float:
    return round(float(value), 4)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bars", required=True, help="a Parquet file with one row per symbol and date")
    parser.add_argument("--draws", type=int, help="per cell; by default 40 for one symbol, 8 for up to 20, 6 for more")
    parser.add_argument("--cells", help="such as 1x252,5x600; by default all nine")
    parser.add_argument("--kinds", default="volatility,direction")
    parser.add_argument("--asset-class", help="keep the symbols of one class of the file's column asset_class")
    parser.add_argument("--after", help="only windows whose test part begins on or after this day")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--seed", type=int, default=12)
    return parser


if __name__ == "__main__":
    main()
