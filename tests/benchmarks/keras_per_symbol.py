"""One Keras model per symbol, as a good user would fit it: what ``bench_training`` compares a fleet with."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from direction_task import Task

from training.data.fleet_data import FleetData


@dataclass(frozen=True, slots=True)
class KerasSetup:
    """One way to set Keras up; ``pipeline`` feeds cached, shuffled ``tf.data`` instead of arrays."""

    jit: bool | str = "auto"
    steps_per_execution: int = 1
    pipeline: bool = False
    unroll: bool = False


_SETUPS = (
    KerasSetup(),
    KerasSetup(jit=False),
    KerasSetup(jit=False, steps_per_execution=16),
    KerasSetup(jit=False, steps_per_execution=16, pipeline=True),
    KerasSetup(jit=True, steps_per_execution=16),
    KerasSetup(jit=False, steps_per_execution=16, unroll=True),
)


def best_setup(task: Task, say: Callable[..., None]) -> KerasSetup:
    """Return the setup that fits the first symbol soonest."""
    taken = {}
    for setup in _SETUPS:
        *_, taken[setup] = fit_keras(task, 0, setup)
        say(f"  Keras, the first symbol: {taken[setup]:6.2f} s with {setup}")
    return min(taken, key=lambda setup: taken[setup])


def keras_model(task: Task, setup: KerasSetup) -> Any:
    """Return the compiled network of one symbol, made of Keras' own layers."""
    import keras

    config, plan = task.network.config, task.plan
    inputs = x = keras.Input((config.window, task.network.features))
    for units in config.lstm_units:
        x = keras.layers.LSTM(units, return_sequences=True, unroll=setup.unroll)(x)
    last = x[:, -1:]
    size = config.lstm_units[-1] // config.attention_heads
    mixed = keras.layers.MultiHeadAttention(config.attention_heads, size, use_bias=False)(last, x)
    state = keras.layers.LayerNormalization()(keras.layers.Flatten()(last + mixed))
    outputs = keras.layers.Dense(task.network.outputs)(keras.layers.Dropout(config.dropout)(state))
    model = keras.Model(inputs, outputs)
    model.compile(
        keras.optimizers.Adam(plan.learning_rate, global_clipnorm=plan.clip_norm),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=setup.jit,
        steps_per_execution=setup.steps_per_execution,
    )
    return model


def fit_keras(task: Task, row: int, setup: KerasSetup, model: Any = None) -> tuple[float, int, float]:
    """Fit one symbol, in a new model unless one is given to use again; return its best loss, epochs and seconds."""
    import keras
    import tensorflow as tf

    start = time.perf_counter()
    x, y, x_valid, y_valid = keras_arrays(task.data, row, task.network.config.window)
    if model is None:
        keras.backend.clear_session()
        model = keras_model(task, setup)
    else:
        for variable in model.optimizer.variables[2:]:  # after the iterations and the learning rate: the moments
            variable.assign(tf.zeros_like(variable))
        model.optimizer.iterations.assign(0)
    model.set_weights(keras_weights(task, row))
    batch = task.plan.batch_size
    fed: dict[str, Any] = {"x": x, "y": y, "batch_size": batch}
    if setup.pipeline:
        rows = tf.data.Dataset.from_tensor_slices((x, y)).cache().shuffle(len(x), seed=1)
        fed = {"x": rows.batch(batch).prefetch(tf.data.AUTOTUNE), "shuffle": False}
    stop = stopping(model.evaluate(x_valid, y_valid, batch_size=256, verbose=0), task.plan.patience)
    history = model.fit(
        **fed,
        epochs=task.plan.epochs,
        validation_data=(x_valid, y_valid),
        validation_batch_size=256,
        callbacks=[stop],
        verbose=0,
    )
    return float(stop.best), len(history.epoch), time.perf_counter() - start


def keras_arrays(data: FleetData, row: int, window: int) -> tuple[np.ndarray, ...]:
    """Return training windows (n, window, F) and classes (n,) of one symbol, then those of validation."""
    windows = np.lib.stride_tricks.sliding_window_view(data.buffer[row], window, axis=0).transpose(0, 2, 1)
    out: list[np.ndarray] = []
    for ends in (data.train[row], data.valid[row]):
        out += [np.ascontiguousarray(windows[ends - window + 1]), data.targets[row, ends, 0].astype(np.int32)]
    return tuple(out)


def keras_weights(task: Task, row: int) -> list[np.ndarray]:
    """Return the fleet's initial weights of one symbol in the order and shapes of the Keras model."""
    units, heads = task.network.config.lstm_units[-1], task.network.config.attention_heads
    split = (units, heads, units // heads)
    shapes = {"query": split, "key": split, "value": split, "output": (heads, units // heads, units)}
    out = []
    for name, value in task.network.unpack(task.initial[row : row + 1]).items():
        array, part = np.asarray(value)[0], name.split("/")[1]
        if name.startswith("lstm"):
            i, f, o, g = np.split(array, 4, axis=-1)  # Keras' order of gates is input, forget, candidate, output
            array = np.concatenate([i, f, g, o], axis=-1)
        out.append(array.reshape(shapes.get(part, array.shape)))
    return out


def stopping(initial_loss: float, patience: int) -> Any:
    """Return a callback with the fleet's rule: the initial weights count, and the best weights come back."""
    import keras

    class BestEpoch(keras.callbacks.Callback):  # type: ignore[misc]
        best, stalled, weights = initial_loss, 0, None

        def on_train_begin(self, logs: Any = None) -> None:
            self.weights = self.model.get_weights()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if logs["val_loss"] < self.best - 1e-6:
                self.best, self.weights, self.stalled = logs["val_loss"], self.model.get_weights(), 0
            else:
                self.stalled += 1
                self.model.stop_training = self.stalled >= patience

        def on_train_end(self, logs: Any = None) -> None:
            self.model.set_weights(self.weights)

    return BestEpoch()
