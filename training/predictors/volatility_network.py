"""The network member of the volatility ensemble: an LSTM that corrects the linear member's log forecast."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from configs.schema import Config
from training.data.arrays import Float, Float32
from training.data.examples import Int64
from training.models.fleet.fit import predict_fleet
from training.models.fleet.gather import FleetData
from training.models.fleet.losses import qlike
from training.models.fleet.network import FleetNetwork
from training.models.volatility.level import RatioSums

QLIKE_LOSS = qlike

_CAP = 2.0  # a correction beyond e² is an extrapolation
_LEVEL_STRIDE = 7


def volatility_network(config: Config, columns: Int64) -> FleetNetwork:
    """Return the architecture for these chosen features (1, k)."""
    return FleetNetwork(config.volatility.network, columns.shape[1], 1)


def log_columns(target: Float, base: Float) -> Float32:
    """Return ln y and ln base (rows, 2); rows that lack one of them are 0 and never trained on."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(np.stack([target, base], axis=1))
    logs[~np.isfinite(logs).all(axis=1)] = 0.0
    return logs.astype(np.float32)


def network_corrections(
    network: FleetNetwork, weights: Float32, bank: Float32, ends: tuple[npt.NDArray[np.int32], ...]
) -> Float:
    """Return the factors (n,) on the base forecast for windows of every series, stacked."""
    outputs = predict_fleet(network, weights, bank, ends)
    logs = np.concatenate([out[:, 0] for out in outputs]) if outputs else np.zeros(0)
    return correction_factors(logs)


def correction_factors(logs: npt.NDArray[np.floating]) -> Float:
    """Return the factors (n,) that a network's outputs (n,) stand for."""
    return np.exp(np.clip(logs.astype(np.float64), -_CAP, _CAP))


def network_level(network: FleetNetwork, weights: Float32, data: FleetData) -> Float:
    """Return each network's level (S,), which makes mean(y / f) = 1 on (every seventh of) its train windows."""
    ends = tuple(values[::_LEVEL_STRIDE] for values in data.train)
    corrections = network_corrections(network, weights, data.bank, ends)
    logs = np.concatenate([data.targets[i, values] for i, values in enumerate(ends)])
    index = np.repeat(np.arange(len(ends)), [len(values) for values in ends])
    target, base = np.exp(logs.astype(np.float64)).T
    return RatioSums.of(target, base * corrections, index, np.ones(len(index), bool), len(ends)).level()
