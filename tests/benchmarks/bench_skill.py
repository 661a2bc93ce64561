"""What the forecasts are worth out of sample, next to their baselines, with errors clustered by day.

``python tests/benchmarks/bench_skill.py --bars BARS.parquet [--context SERIES.parquet] [--kinds direction,volatility]
[--train-end 2013-12-31 --valid-end 2014-12-31 --test-start 2015-02-01 --test-end 2018-12-31] [--symbols N]
[--series VIX_close=level …] [--workers N] [--store DIR] [--set a.b=c …] [--unseen FRACTION] [--no-peers]``

Trains in this process, or on a local Ray with ``--workers``, and prints the leaderboard of the test period. Parameters
are fitted up to ``--train-end`` and chosen and calibrated up to ``--valid-end``; nothing is fitted later.

The last line is JSON. ``volatility.qlike`` holds the blend, every baseline and every member;
``qlike_vs_log_har_pooled`` is the paired difference relative to pooled log-HAR (−0.07: 7 % below). ``direction`` holds
the model's scores, its baselines' losses, and the gain over the prior in nats a row, split into forecasting whether the
price leaves the sideways band (``move``) and which way (``sign``), and ``rank_ic``, the mean over days of the rank
correlation between P(up) − P(down) and the return that followed. ``X_se`` is the day-clustered error of ``X``.

Peers are scikit-learn's gradient boosting on the same features and rows (:mod:`skill_peers`): gamma deviance on the
variance (``volatility.qlike.boosting_peer``) and on its ratio to pooled log-HAR (``boosting_ratio_peer``), a classifier
for direction (``direction.log_loss_boosting_peer``). ``--unseen 0.2`` trains without a fifth of the symbols, drawn at
random, and scores them by what the trained ones share: ``unseen`` holds their loss, that of a log-HAR fitted on each of
them, the ``ratio`` of the two, and ``ratio_trained``, the same of the symbols that were trained.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from skill_figures import direction_figures, direction_gains, figures, volatility_figures
from skill_peers import direction_peer, rank_correlation, unseen, volatility_peers
from skill_peers import examples_of as run_examples

from cluster.views.leaderboard import render
from configs.errors import ConfigError, FleetcastError
from configs.load import load_config
from configs.schema import Config
from features.bars.schema import SymbolBars
from features.sources import open_source
from features.store.store import Store
from training.data.examples import Examples
from training.registry.manager import ModelManager
from training.run.queue import Progress
from training.trainer import Callbacks, ModelTrainer, TrainingResult

# The first of each line that a context file holds is used, unless --series says otherwise.
_USUAL_SERIES = (
    ("level", ("VIX_close", "VIXCLS", "VIX")),
    ("rate", ("T10Y2Y",)),
    ("price", ("WTI_DAILY", "WTI")),
)
_DATES = ("train_end", "valid_end", "test_start", "test_end")
_PARTS = (("move", "whether it moves"), ("sign", "which way"))


def chosen_series(path: str, given: Sequence[str]) -> dict[str, str]:
    """Return which series of a context file are used and how: those given as ``NAME=KIND``, else the usual ones."""
    if given:
        pairs = [text.rpartition("=") for text in given]
        if wrong := [text for text, (name, _, kind) in zip(given, pairs, strict=True) if not name or not kind]:
            raise ConfigError(f"--series {wrong[0]!r} is not of the form NAME=level, NAME=price or NAME=rate.")
        return {name: kind for name, _, kind in pairs}
    held = _read(path, ["series"])["series"]
    found = set(held.astype(str))
    usual = {kind: next((name for name in names if name in found), None) for kind, names in _USUAL_SERIES}
    return {name: kind for kind, name in usual.items() if name is not None}


def longest_symbols(path: str, count: int | None) -> list[str]:
    """Return the symbols with the most bars, ties by name."""
    rows = _read(path, ["symbol"])["symbol"].value_counts()
    return sorted(rows.index, key=lambda symbol: (-int(rows[symbol]), symbol))[:count]


def left_out(given: argparse.Namespace) -> list[str]:
    """Return the symbols that are not trained, drawn at random."""
    every = sorted(longest_symbols(given.bars, given.symbols))
    generator = np.random.default_rng(given.unseen_seed)
    return sorted(generator.choice(every, round(given.unseen * len(every)), replace=False)) if given.unseen else []


def configuration(given: argparse.Namespace) -> Config:
    """Return the configuration that the options describe, on top of the ``equities`` preset."""
    overrides = [f"split.{name}={getattr(given, name)}" for name in _DATES]
    overrides += [f"data.bars={json.dumps(_resolved(given.bars))}", f"data.end={given.test_end}"]
    overrides += [f"run.kinds=[{given.kinds}]"]
    if given.symbols or given.unseen:
        absent = set(left_out(given))
        kept = [symbol for symbol in longest_symbols(given.bars, given.symbols) if symbol not in absent]
        overrides.append(f"data.symbols={json.dumps(kept)}")
    if given.context:
        overrides.append(f"data.context.path={json.dumps(_resolved(given.context))}")
        overrides.append(f"data.context.kinds={json.dumps(chosen_series(given.context, given.series))}")
    if given.workers:
        overrides.append(f"run.workers={given.workers}")
    # The figures are of the fit that is tested; the one that is published has seen the test period.
    return load_config("equities", overrides=[*overrides, *given.overrides, "run.refit=false"])


def train(config: Config, store: str, workers: int | None) -> TrainingResult:
    """Train here, or on a Ray started for it."""
    from cluster.session import connect

    done: list[str] = []

    def tell(progress: Progress) -> None:
        line = f"{progress.symbols_done}/{progress.symbols} symbols, {progress.jobs_done}/{progress.jobs} jobs"
        if not done or done[-1] != line:
            done.append(line)
            print(line, file=sys.stderr, flush=True)

    with connect(cpus=workers) if workers else nullcontext():
        return ModelTrainer(config, store).train_multi_asset_models(
            model_types=config.run.kinds, promote="never", callbacks=Callbacks(progress=tell)
        )


def main() -> None:
    """Train, measure and print."""
    given = _arguments().parse_args()
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        store = given.store or scratch
        try:
            config = configuration(given)
            result = train(config, store, given.workers)
        except FleetcastError as error:
            raise SystemExit(f"error: {error}") from error
        console = Console(width=160)
        for part in render(result.results):
            console.print(part)
        document: dict[str, Any] = {
            "symbols": max((len(one.per_symbol) for one in result.results), default=0),
            "split": {name: str(getattr(config.split, name)) for name in _DATES},
            "context": dict(config.data.context.kinds),
            "seed": config.run.seed,
        }
        for one in result.results:
            if one.version is None or not one.summary:
                document[one.kind] = None
            elif one.kind == "volatility":
                document[one.kind] = volatility_figures(one)
                if not given.no_peers:
                    document[one.kind]["qlike"] |= figures(volatility_peers(examples_of(result, store, one.kind)))
            else:
                gains = direction_gains(ModelManager(store), one.version)
                document[one.kind] = direction_figures(one) | gains
                print(
                    "direction, gain over the prior in nats a row: "
                    + ", ".join(f"{words} {gains[key]:+.5f} ± {gains[f'{key}_se']:.5f}" for key, words in _PARTS)
                )
                examples = examples_of(result, store, one.kind)
                document[one.kind] |= figures(rank_correlation(ModelManager(store), one.version, examples))
                if not given.no_peers:
                    document[one.kind] |= figures({"log_loss_boosting_peer": direction_peer(examples)})
            if given.unseen and one.version is not None and one.summary:
                others = list(open_source(config.data.bars, Store(store)).load(left_out(given), end=config.data.end))
                found = unseen(ModelManager(store), one.version, one.kind, examples_of(result, store, one.kind, others))
                if one.kind == "volatility":
                    found["ratio_trained"] = one.summary["qlike"] / one.summary["qlike_log_har"]
                document.setdefault("unseen", {})[one.kind] = figures(found)
    document["seconds"] = {**result.seconds, "all": round(time.perf_counter() - start, 1)}
    print(json.dumps(document))


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bars", required=True, help="a Parquet file with one row per symbol and date")
    parser.add_argument("--context", help="market series in long form (date, series, value), Parquet or CSV")
    parser.add_argument("--series", action="append", default=[], metavar="NAME=KIND", help="level, price or rate")
    parser.add_argument("--train-end", default="2013-12-31")
    parser.add_argument("--valid-end", default="2014-12-31")
    parser.add_argument("--test-start", default="2015-02-01")
    parser.add_argument("--test-end", default="2018-12-31")
    parser.add_argument("--kinds", default="direction,volatility")
    parser.add_argument("--symbols", type=int, help="only the N symbols with the most bars")
    parser.add_argument("--unseen", type=float, default=0.0, help="the share of symbols to train without, and to score")
    parser.add_argument("--unseen-seed", type=int, default=0, help="of the draw of these symbols")
    parser.add_argument("--no-peers", action="store_true", help="leave scikit-learn's boosting out: it takes minutes")
    parser.add_argument("--workers", type=int, help="train on a local Ray with so many workers")
    parser.add_argument("--store", help="keep the models here; finished blocks in it are not trained again")
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="a.b=c")
    return parser


def _read(path: str, columns: list[str]) -> pd.DataFrame:
    try:
        if path.endswith(".parquet"):
            return pd.read_parquet(path, columns=columns)
        return pd.read_csv(path, usecols=columns)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path!r} cannot be read ({error}). Give a Parquet or CSV file with {columns}.") from error


def _resolved(path: str) -> str:
    return path if "://" in path else str(Path(path).expanduser().absolute())


def examples_of(result: TrainingResult, store: str, kind: str, bars: list[SymbolBars] | None = None) -> Examples:
    """Return the examples of a run's symbols, or of other bars."""
    return run_examples(Store(store), result.plan, kind, bars)


if __name__ == "__main__":
    main()
