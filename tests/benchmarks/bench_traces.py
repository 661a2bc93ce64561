"""What tracing costs where many small fits follow each other: folds of one symbol, trials of a sweep.

``python tests/benchmarks/bench_traces.py [--folds 20] [--trials 20]``

Folds move in time and have seeds of their own; trials differ in learning rate, dropout, epochs and weight decay. All
have one architecture. The last line is JSON: ``folds_s``, ``trials_s`` (seconds of all fits but the first, which every
program pays for), ``first_s``, and ``fit_s``, the median of one fit.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np

from configs import load_config
from features.sources.embedded import EmbeddedSource
from training import PriceDirectionPredictor


def seconds_of(bars: list, overrides: list[str]) -> float:
    """Return the seconds that one fit takes."""
    start = time.perf_counter()
    PriceDirectionPredictor(load_config("smoke", overrides=overrides)).fit(bars)
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folds", type=int, default=20)
    parser.add_argument("--trials", type=int, default=20)
    given = parser.parse_args()
    [bars] = EmbeddedSource().load(["IBM"])
    fraction = "split={train_end: null, valid_end: null, test_start: null, test_end: null}"
    fits = [fraction, "direction.strategy=per_symbol", "direction.fit.epochs=3"]
    first = seconds_of([bars.first(700)], fits)
    folds = [seconds_of([bars.first(700 + 20 * fold)], [*fits, f"run.seed={fold}"]) for fold in range(given.folds)]
    trials = []
    for trial in range(given.trials):
        chance = np.random.default_rng(trial)
        values = {
            "fit.learning_rate": 10 ** chance.uniform(-4, -2),
            "fit.epochs": int(chance.integers(2, 5)),
            "fit.weight_decay": 10 ** chance.uniform(-6, -3),
            "network.dropout": chance.uniform(0.0, 0.4),
        }
        varied = [f"direction.{name}={value!r}" for name, value in values.items()]
        trials.append(seconds_of([bars.first(1000)], [*fits, *varied]))
    found = {"first_s": first, "folds_s": sum(folds), "trials_s": sum(trials), "fit_s": float(np.median(trials))}
    print(json.dumps({name: round(value, 3) for name, value in found.items()}))


if __name__ == "__main__":
    main()
