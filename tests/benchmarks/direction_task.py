"""The fit that ``bench_training`` times: the default direction network on the symbols with the most bars."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from configs.schema import Config
from features import bars_from_frame, build_panel, build_universe
from features.splits import resolve_split
from training.data.design import Design
from training.data.fleet_data import FleetData, fleet_data
from training.models.fleet.fit import FitPlan
from training.models.fleet.network import FleetNetwork
from training.models.linear.class_prior import ClassPrior
from training.tasks import task_of


@dataclass(frozen=True, slots=True)
class Task:
    """What is fitted: the architecture, the windows of all symbols, the plan and the initial weights (S, P)."""

    network: FleetNetwork
    data: FleetData
    plan: FitPlan
    initial: np.ndarray

    def part(self, rows: slice) -> Task:
        """Return the task of some symbols."""
        data = self.data
        cut = FleetData(data.symbols[rows], data.buffer[rows], data.targets[rows], data.train[rows], data.valid[rows])
        return replace(self, data=cut, initial=self.initial[rows])

    def train_flops(self, epochs: np.ndarray) -> float:
        """Return the matrix products' operations in so many epochs (S,) of training; evaluating is left out.

        Backward costs twice forward, less the gradient of the inputs, which is not computed.
        """
        inputs = 2 * self.network.config.window * self.network.features * 4 * self.network.config.lstm_units[0]
        windows = sum(len(ends) * int(n) for ends, n in zip(self.data.train, epochs, strict=True))
        return float(windows * (3 * self.network.flops_per_window - inputs))


def make_task(path: str, symbols: int, config: Config) -> Task:
    """Return the task for the symbols with the most bars."""
    bars, _ = bars_from_frame(pd.read_parquet(path), place=path)
    bars = sorted(bars, key=lambda one: (-len(one), one.symbol))[:symbols]
    panel = build_panel(bars, config.features, build_universe(bars, config.features), label=config.direction.label)
    split = resolve_split(panel.dates, config.split, config.direction.horizon)
    examples = task_of("direction").examples(panel, split, config)
    examples = examples.select(tuple(s for s in panel.symbols if s not in examples.insufficient_data()))
    design = Design.fit(examples, config)
    window = config.direction.network.window
    data = fleet_data(examples, window, design, examples.targets[:, None])
    network = FleetNetwork(config.direction.network, design.width, 3)
    prior = ClassPrior.fit(*examples.labels("train"), len(data.symbols)).probabilities
    plan = FitPlan.of(config.direction.fit, config.run.seed)
    initial = network.initial_weights(data.symbols, config.run.seed)
    initial[:, -network.outputs :] = np.log(prior)  # the head's biases are the last weights of a row
    return Task(network, data, plan, initial)
