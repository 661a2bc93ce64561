"""How the speed of a fit grows with the number of symbols that are fitted as one model, on whatever device there is.

``[KERAS_BACKEND=jax] python tests/benchmarks/bench_fleet_width.py [--widths 1,8,64] [--bars 2000] [--epochs 3]``

Each width fits that many networks of the default direction architecture, each on its own random data, for a fixed
number of epochs; a fit before it, which compiles, is not counted. Loss and data do not matter for time.

The last line is JSON: the ``backend`` and ``device``; by width ``seconds`` and training windows a second, and
``gain``, the windows a second of the widest over those of a fleet of one: what stacking is worth there.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from configs.models import DirectionConfig
from training.data.fleet_data import FleetData
from training.models.fleet.fit import FitPlan, fit_fleet
from training.models.fleet.losses import corrected_cross_entropy
from training.models.fleet.network import FleetNetwork

FEATURES, CLASSES = 140, 3


def random_data(width: int, bars: int, window: int) -> FleetData:
    """Return so many symbols' random features and classes, the last fifth for validation."""
    rng = np.random.default_rng(0)
    buffer = rng.standard_normal((width, bars, FEATURES), dtype=np.float32)
    targets = np.zeros((width, bars, 1 + CLASSES), np.float32)
    targets[:, :, 0] = rng.integers(0, CLASSES, (width, bars))
    ends = np.arange(window - 1, bars, dtype=np.int32)
    cut = int(0.8 * len(ends))
    names = tuple(f"S{i}" for i in range(width))
    return FleetData(names, buffer, targets, (ends[:cut],) * width, (ends[cut:],) * width)


def seconds_of(width: int, bars: int, epochs: int) -> tuple[float, int]:
    """Return the seconds of a fit without compilation, and the training windows that it went through."""
    config = DirectionConfig()
    network = FleetNetwork(config.network, FEATURES, CLASSES)
    data = random_data(width, bars, config.network.window)
    plan = replace(FitPlan.of(config.fit, 7), epochs=epochs, patience=epochs + 1)
    initial = network.initial_weights(data.symbols, 7)
    fit_fleet(network, corrected_cross_entropy, data, plan, initial)
    start = time.perf_counter()
    fit_fleet(network, corrected_cross_entropy, data, plan, initial)
    return time.perf_counter() - start, epochs * sum(map(len, data.train))


def device() -> str:
    """Return the name of what computes."""
    if keras.backend.backend() == "jax":
        import jax

        return str(jax.devices()[0].device_kind)
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    return str(gpus[0].name) if gpus else "CPU"


def main() -> None:
    """Measure every width."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--widths", default="1,8,64")
    parser.add_argument("--bars", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=3)
    given = parser.parse_args()
    out: dict[str, Any] = {"backend": keras.backend.backend(), "device": device(), "widths": {}}
    for width in map(int, given.widths.split(",")):
        seconds, windows = seconds_of(width, given.bars, given.epochs)
        out["widths"][width] = {"seconds": round(seconds, 3), "windows_per_s": round(windows / seconds)}
        print(width, out["widths"][width], flush=True)
    speeds = [one["windows_per_s"] for one in out["widths"].values()]
    out["gain"] = round(speeds[-1] / speeds[0], 2)
    print(json.dumps(out))


if __name__ == "__main__":
    main()
