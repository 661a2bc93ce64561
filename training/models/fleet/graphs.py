"""Compiled functions of a fleet: one training step, the loss, and the forward pass.

Tracing costs about a second, so each function is traced once per architecture. Learning rate, weight decay, clipping,
shrinkage, seeds and dropout are tensors: trials and folds that differ in them only share a trace.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np
import numpy.typing as npt

from configs.models import FitConfig
from training.models.fleet.backend import Tensor, compiled, ops, value_and_gradient
from training.models.fleet.gather import gather_last, gather_windows
from training.models.fleet.network import FleetNetwork

Loss = Callable[[Tensor, Tensor], Tensor]

_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-7
_TRACES = 16  # of each function; a trace takes a few MB


@dataclass(frozen=True, slots=True)
class FitPlan:
    """The numbers of one fit. ``shrinkage`` pulls weights towards ``anchor`` (L2, added to the gradient)."""

    epochs: int
    batch_size: int
    learning_rate: float
    patience: int
    seed: int
    weight_decay: float = 0.0
    clip_norm: float = 1.0
    shrinkage: float = 0.0

    @property
    def rates(self) -> npt.NDArray[np.float32]:
        """Learning rate, weight decay, norm at which gradients are clipped, and shrinkage, as (4,)."""
        return np.array([self.learning_rate, self.weight_decay, self.clip_norm, self.shrinkage], np.float32)

    @classmethod
    def of(cls, config: FitConfig, seed: int) -> Self:
        """Return the plan of a configuration for fitting from scratch."""
        return cls(
            epochs=config.epochs,
            batch_size=config.batch_size,
            learning_rate=config.learning_rate,
            patience=config.patience,
            seed=seed,
            weight_decay=config.weight_decay,
            clip_norm=config.clip_norm,
        )


def step_function(network: FleetNetwork, loss: Loss, columns: int) -> Callable[..., tuple[Tensor, ...]]:
    """Return one step of Adam for S symbols; a symbol whose sample weights are all zero does not move.

    The last argument of the step is :attr:`FitPlan.rates`. ``columns`` is K, the width of the targets.
    """
    return _step_function(_architecture(network), loss, columns)


def evaluation_function(network: FleetNetwork, loss: Loss, columns: int) -> Callable[..., Tensor]:
    """Return the loss (S, B) of windows that end at ``ends`` (S, B) in ``bars``, without dropout.

    The forward pass is the trace that forecasts use; that of the loss takes a hundredth of its time.
    """
    forward, losses = forward_function(network), _loss_function(loss, network.outputs, columns)

    def evaluate(weights: Tensor, bars: Tensor, ends: Tensor, targets: Tensor) -> Tensor:
        return losses(forward(weights, bars, ends), targets)

    return evaluate


def forward_function(network: FleetNetwork) -> Callable[..., Tensor]:
    """Return the outputs (S, B, outputs) of windows that end at ``ends`` (S, B) in ``bars``."""
    return _forward_function(_architecture(network))


def _architecture(network: FleetNetwork) -> FleetNetwork:
    """Return the network without its dropout rate, which only scales a mask that is passed in."""
    config = network.config.model_copy(update={"dropout": 0.0})
    return FleetNetwork(config, network.features, network.outputs)


@lru_cache(maxsize=_TRACES)
def _step_function(network: FleetNetwork, loss: Loss, columns: int) -> Callable[..., tuple[Tensor, ...]]:

    def step(
        buffer: Tensor,
        targets: Tensor,
        weights: Tensor,
        first: Tensor,
        second: Tensor,
        updates: Tensor,
        anchor: Tensor,
        ends: Tensor,
        sample_weights: Tensor,
        keep: Tensor,
        rates: Tensor,
    ) -> tuple[Tensor, ...]:
        learning_rate, weight_decay, clip_norm, shrinkage = (rates[i] for i in range(4))
        windows = gather_windows(buffer, ends, network.config.window)
        wanted = gather_last(targets, ends)

        def objective(at: Tensor) -> tuple[Tensor, Tensor]:
            losses = loss(network.apply(at, windows, keep), wanted)
            counts = ops.maximum(ops.sum(sample_weights, axis=1), 1.0)
            per_symbol = ops.sum(losses * sample_weights, axis=1) / counts
            return ops.sum(per_symbol), per_symbol

        _, gradient = value_and_gradient(objective, weights)
        gradient = gradient + shrinkage * (weights - anchor)
        norm = ops.sqrt(ops.sum(ops.square(gradient), axis=1, keepdims=True))
        gradient = gradient * ops.minimum(1.0, clip_norm / (norm + 1e-12))
        active = ops.max(sample_weights, axis=1, keepdims=True) > 0.0
        count = updates + 1.0
        new_first = _BETA1 * first + (1.0 - _BETA1) * gradient
        new_second = _BETA2 * second + (1.0 - _BETA2) * ops.square(gradient)
        rate = learning_rate * ops.sqrt(1.0 - _BETA2**count) / (1.0 - _BETA1**count)
        moved = weights - rate * new_first / (ops.sqrt(new_second) + _EPSILON)
        moved = moved - learning_rate * weight_decay * weights
        return (
            ops.where(active, moved, weights),
            ops.where(active, new_first, first),
            ops.where(active, new_second, second),
            ops.where(active, count, updates),
        )

    rows = (None, network.parameters)
    return compiled(
        step,
        [
            ((None, None, network.features), "float32"),
            ((None, None, columns), "float32"),
            (rows, "float32"),
            (rows, "float32"),
            (rows, "float32"),
            ((None, 1), "float32"),
            (rows, "float32"),
            ((None, None), "int32"),
            ((None, None), "float32"),
            ((None, None, network.config.lstm_units[-1]), "float32"),
            ((4,), "float32"),
        ],
    )


@lru_cache(maxsize=_TRACES)
def _loss_function(loss: Loss, outputs: int, columns: int) -> Callable[..., Tensor]:
    return compiled(loss, [((None, None, outputs), "float32"), ((None, None, columns), "float32")])


@lru_cache(maxsize=_TRACES)
def _forward_function(network: FleetNetwork) -> Callable[..., Tensor]:
    return compiled(network.apply_to_bars, _windows(network))


def _windows(network: FleetNetwork) -> list[tuple[Sequence[int | None], str]]:
    """Return the signature of weights, bars and ends."""
    return [
        ((None, network.parameters), "float32"),
        ((None, None, network.features), "float32"),
        ((None, None), "int32"),
    ]
