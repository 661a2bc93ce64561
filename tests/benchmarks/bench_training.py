"""How fast a fleet is fitted, against one Keras model per symbol in a loop, and the same loop as Ray tasks.

``python tests/benchmarks/bench_training.py --bars BARS.parquet [--symbols 64] [--keras-symbols 8] [--epochs 10]
[--json]``

All fit the default direction network to the same scaled windows of the symbols with the most bars, from the same
initial weights, with the same optimiser, batches of the same size, the same epochs and the same early stopping.
Libraries are imported before the clock starts; tracing and compiling count. Everything has the same cores: the fleet
and the Ray tasks one worker of one thread a core, the loop one process that may use them all. Keras fits
``--keras-symbols`` of the symbols, each as it would in a loop over all, and is scaled up in proportion.

The last line is JSON: ``symbols_per_min`` of the fleet; ``ratio_vs_keras_loop`` and ``ratio_vs_ray_tasks``, times as
fast as the best of several ways to set Keras up; ``ratio_vs_keras_reused``, against a loop that traces one model and
resets it for each symbol; ``ratio_one_process``, the fleet too in one process; ``fraction_of_limit``, the seconds that
the fit's matrix products would take at the rate of large ones on all cores, over the seconds it took;
``val_loss_fleet`` and ``val_loss_keras``, the mean best validation loss of the symbols that both fitted.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from direction_task import Task, make_task
from keras_per_symbol import best_setup, fit_keras, keras_model

from configs.load import load_config
from configs.operation import RunConfig
from training.models.fleet.fit import FleetFit, fit_fleet
from training.models.fleet.losses import cross_entropy
from training.models.fleet.threads import use_threads

_RATE_S = 1.5


def fit_block(task: Task) -> FleetFit:
    """Fit a block of symbols as a fleet."""
    return fit_fleet(task.network, cross_entropy, task.data, task.plan, task.initial)


def matrix_rate(_: int = 0) -> float:
    """Return floating-point operations a second of a large float32 product with this process' threads."""
    import tensorflow as tf

    a = tf.random.normal((2048, 2048))
    (a @ a).numpy()
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < _RATE_S:
        (a @ a).numpy()
        count += 1
    return count * 2 * 2048**3 / (time.perf_counter() - start)


def on_workers(function: Callable[..., Any], calls: Sequence[tuple[Any, ...]]) -> tuple[list[Any], float]:
    """Return what Ray tasks of one core each return, and the seconds until the last is done.

    Ray keeps its worker processes, so all but the first tasks find their libraries imported.
    """
    import ray

    shared = {id(one): ray.put(one) for call in calls for one in call if isinstance(one, Task)}
    task = ray.remote(num_cpus=1, max_retries=0)(function)
    start = time.perf_counter()
    results: list[Any] = ray.get([task.remote(*(shared.get(id(one), one) for one in call)) for call in calls])
    return results, time.perf_counter() - start


def warm() -> float:
    """Import and fix the threads of a worker process, and return its matrix rate."""
    use_threads(1)
    return matrix_rate()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bars", required=True, help="bars in any form that fleetcast reads as one Parquet file")
    parser.add_argument("--symbols", type=int, default=64)
    parser.add_argument("--keras-symbols", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--json", action="store_true", help="print nothing but the JSON line on standard output")
    given = parser.parse_args()
    say = partial(print, file=sys.stderr if given.json else sys.stdout, flush=True)
    config = load_config("equities", overrides=[f"direction.fit.epochs={given.epochs}"])
    task = make_task(given.bars, given.symbols, config)
    count, cores = len(task.data.symbols), len(os.sched_getaffinity(0))
    some = range(min(given.keras_symbols, count))
    windows = sum(map(len, task.data.train))
    say(
        f"{count} symbols, {windows:,} training windows of {task.network.features} features; {cores} cores, "
        f"load {os.getloadavg()[0]:.1f}"
    )

    from cluster.session import connect

    setup = best_setup(task, say)
    with connect(cpus=cores):
        on_workers(warm, [()] * cores)
        size = min(RunConfig().block_symbols, -(-count // cores))
        blocks = [task.part(slice(start, start + size)) for start in range(0, count, size)]
        rates = [sum(on_workers(warm, [()] * cores)[0])]
        fits, fleet_s = on_workers(fit_block, [(block,) for block in blocks])
        rates.append(sum(on_workers(warm, [()] * cores)[0]))
        by_tasks, tasks_s = on_workers(fit_keras, [(task, row, setup) for row in some])
    losses = np.concatenate([fit.valid_loss for fit in fits], axis=1)
    epochs = np.isfinite(losses[1:]).sum(axis=0)
    limit_s = task.train_flops(epochs) / statistics.mean(rates)
    say(
        f"fleet: {fleet_s:.1f} s in {len(blocks)} blocks of up to {size} on {cores} workers, {epochs.mean():.1f} "
        f"epochs a symbol; its products at {' and '.join(f'{r / 1e9:.0f}' for r in rates)} GFLOP/s take {limit_s:.1f} s"
    )
    start = time.perf_counter()
    fit_block(blocks[0])
    alone_s = (time.perf_counter() - start) * count / len(blocks[0].data.symbols)
    say(f"fleet in one process with all cores: {alone_s:.1f} s, from its first block")
    looped = [fit_keras(task, row, setup) for row in some]
    model = keras_model(task, setup)
    fit_keras(task, 0, setup, model)  # traces
    reused = [fit_keras(task, row, setup, model) for row in some]
    a_symbol = {
        "keras_loop": statistics.mean(s for *_, s in looped),
        "ray_tasks": tasks_s / len(some),
        "keras_reused": statistics.mean(s for *_, s in reused),
    }
    for name, seconds in a_symbol.items():
        say(f"{name}: {seconds:.2f} s a symbol ({len(some)} of {count} fitted), {60 / seconds:.1f} symbols/min")
    say(f"Keras ran {statistics.mean(n for _, n, _ in (*looped, *by_tasks)):.1f} epochs a symbol")
    say(f"load {os.getloadavg()[0]:.1f}")
    best = np.nanmin(losses, axis=0)[list(some)].mean()
    figures = {
        "symbols": count,
        "epochs": given.epochs,
        "cores": cores,
        "symbols_per_min": 60 * count / fleet_s,
        **{f"ratio_vs_{name}": seconds * count / fleet_s for name, seconds in a_symbol.items()},
        "ratio_one_process": a_symbol["keras_loop"] * count / alone_s,
        "fraction_of_limit": limit_s / fleet_s,
        "gflops_per_s": statistics.mean(rates) / 1e9,
        "val_loss_fleet": float(best),
        "val_loss_keras": statistics.mean(loss for loss, *_ in (*looped, *by_tasks)),
        "keras_symbols": len(some),
    }
    print(json.dumps({key: round(value, 5) for key, value in figures.items()}))


if __name__ == "__main__":
    main()
