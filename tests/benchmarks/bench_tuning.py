"""How fast a sweep is, and what it finds.

``python tests/benchmarks/bench_tuning.py [--bars BARS.parquet] [--kind direction] [--symbols 32] [--trials 40]
[--compared 8] [--workers 2] [--parts speed,sweep] [--set a.b=c …]``

Without ``--bars`` the symbols are random walks with some memory, in which there is little to find.

``speed`` compares, without early stopping and on the same draws of random search, sweeps on one worker: ours on Ray;
Optuna alone, one process calling the same objective; and one Tune trial for each symbol and configuration, as Ray's
examples for many models do it, with a fleet of that one symbol (``--compared`` such trials are run, and a
configuration takes one for each symbol). Time runs from the end of the first trial, without start-up, which is
reported separately. ``sweep`` is a whole sweep with early stopping on ``--workers``, start-up included.

The last line is JSON:

``ratio_vs_optuna``, ``ratio_vs_trial_per_symbol``
    Our configurations a minute over theirs; ``…_reused`` where Tune keeps their actors, which is not its default.
``trials_per_min``, ``sweep_minutes``
    Of the whole sweep.
``winner_loss``, ``default_loss``, ``baseline_loss``
    On the last fold, which scored no trial. ``gain`` and ``gain_se`` are the winner's less the default's, by day.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from conftest import random_universe  # noqa: E402

from cluster.session import connect  # noqa: E402
from configs.load import load_config  # noqa: E402
from configs.schema import Config  # noqa: E402
from features.store.lake import Lake  # noqa: E402
from features.store.store import Store  # noqa: E402
from tuning.objective import Objective  # noqa: E402
from tuning.open_study import open_study  # noqa: E402
from tuning.optimizer import Callbacks, HyperparameterOptimizer  # noqa: E402
from tuning.space import defaults, space_of  # noqa: E402
from tuning.sweep_task import SweepTask, task_of_source  # noqa: E402


class Laps:
    """When trials ended."""

    def __init__(self) -> None:
        self.start = time.perf_counter()
        self.times: list[float] = []

    def lap(self, *_: Any) -> None:
        """Record the end of a trial."""
        self.times.append(time.perf_counter() - self.start)

    @property
    def per_min(self) -> float:
        """Trials a minute after the first."""
        return 60.0 * (len(self.times) - 1) / (self.times[-1] - self.times[0])


def speed(task: SweepTask, store: Store, compared: int) -> dict[str, Any]:
    """Compare sweeps on one worker."""
    config = task.config.model_copy(
        update={"tune": task.config.tune.model_copy(update={"trials": 9, "sampler": "random", "early_stopping": False})}
    )
    task = replace(task, config=config)
    one = config.run.model_copy(update={"workers": 1})
    with connect(cpus=1):
        from tuning.ray_search import search_on_ray

        ours = Laps()
        _sweep(
            task, store, "ours", lambda study, objective: search_on_ray(study, objective, one, on_trial_end=ours.lap)
        )
    from tuning.local_search import search_locally

    alone = Laps()
    _sweep(task, store, "alone", lambda study, objective: search_locally(study, objective, on_trial_end=alone.lap))
    found: dict[str, Any] = {
        "ratio_vs_optuna": ours.per_min / alone.per_min,
        "ours_per_min": ours.per_min,
        "optuna_per_min": alone.per_min,
        "ours_first_s": ours.times[0],
        "optuna_first_s": alone.times[0],
    }
    print(json.dumps(found), flush=True)
    for reused in (False, True):
        laps = _trial_per_symbol(task, compared, reused)
        name = "trial_per_symbol" + ("_reused" if reused else "")
        theirs = laps.per_min / len(task.panel.symbols)
        found |= {f"ratio_vs_{name}": ours.per_min / theirs, f"{name}_per_min": theirs}
    return found


def _sweep(task: SweepTask, store: Store, name: str, search: Callable[[Any, Objective], None]) -> None:
    space = space_of(task.config, task.kind)
    first = defaults(task.config, space)
    with open_study(name, store, task.identity, space, task.config.tune, first=first, seed=1) as study:
        search(study, Objective(task, 1))


def _trial_per_symbol(task: SweepTask, trials: int, reused: bool) -> Laps:
    """Return when trials of one symbol each ended, on one worker."""
    import os

    import optuna
    from ray import tune

    from tuning.ray_search import ENVIRONMENT

    os.environ.update(ENVIRONMENT)
    laps, space = Laps(), space_of(task.config, task.kind)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    from tuning.space import distributions

    asked = [dict(study.ask(distributions(space)).params) for _ in range(trials)]

    class Ended(tune.Callback):
        def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
            laps.lap()

    with connect(cpus=1), tempfile.TemporaryDirectory() as folder:
        laps.start = time.perf_counter()
        tune.Tuner(
            tune.with_resources(tune.with_parameters(_one_symbol, task=task), {"cpu": 1}),
            param_space={"job": tune.grid_search(list(range(trials))), "asked": asked},
            tune_config=tune.TuneConfig(reuse_actors=reused, max_concurrent_trials=1),
            run_config=tune.RunConfig(storage_path=folder, verbose=0, callbacks=[Ended()]),
        ).fit()
    return laps


def _one_symbol(config: dict[str, Any], task: SweepTask) -> dict[str, float]:
    job = config["job"]
    longest = np.argsort(-np.diff(task.panel.offsets), kind="stable")  # the others may have no window in the first fold
    symbol = task.panel.symbols[longest[job % len(longest)]]
    alone = replace(task, panel=task.panel.select([symbol]))
    return {"loss": Objective(alone, 1)(config["asked"][job]).loss}


def whole_sweep(config: Config, kind: Any, store: Store, workers: int) -> dict[str, Any]:
    """Run a sweep as the command does."""
    with connect(cpus=workers):
        laps = Laps()
        callbacks = Callbacks(trial_ended=laps.lap)
        tuned = HyperparameterOptimizer(config, store).optimize(kind, study="sweep", callbacks=callbacks)
    verdict, minutes = tuned.verdict, (time.perf_counter() - laps.start) / 60
    states = [one.state for one in tuned.trials]
    found: dict[str, Any] = {
        "trials_per_min": len(laps.times) / (laps.times[-1] / 60),
        "sweep_minutes": minutes,
        "trials": {state: states.count(state) for state in sorted(set(states))},
        "winner_loss": verdict.loss,
        "default_loss": verdict.default_loss,
        "baseline_loss": verdict.baseline,
        "gain": verdict.gain.mean,
        "gain_se": verdict.gain.se,
        "winner": verdict.values,
    }
    return found


def main() -> None:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bars")
    parser.add_argument("--kind", default="direction")
    parser.add_argument("--symbols", type=int, default=32)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--compared", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--parts", default="speed,sweep")
    parser.add_argument("--set", action="append", default=[])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"{folder}/store")
        if given.bars is None:
            for one in random_universe([f"S{i:03d}" for i in range(given.symbols)], 2500):
                Lake(store).append(one)
        bars = "lake" if given.bars is None else str(Path(given.bars).absolute())
        sizes = [f"tune.symbols={given.symbols}", f"tune.trials={given.trials}", f"data.bars={json.dumps(bars)}"]
        config = load_config("equities", overrides=[*sizes, *given.set])
        out: dict[str, Any] = {}
        if "speed" in given.parts:
            out |= speed(task_of_source(config, given.kind, store), store, given.compared)
            print(json.dumps(out), flush=True)
        if "sweep" in given.parts:
            out |= whole_sweep(config, given.kind, store, given.workers)
        print(json.dumps({key: round(value, 6) if isinstance(value, float) else value for key, value in out.items()}))


if __name__ == "__main__":
    main()
