"""The network member: an LSTM with attention that corrects the linear forecast by QLIKE, in logarithms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from configs.schema import Config
from configs.space import Choice, Range
from training.data.fleet_data import POOLED, FleetData, fleet_data
from training.models.volatility.fleet_state import FleetState, Float, Ints
from training.models.volatility.level import RatioSums
from training.models.volatility.member import FitData, ForecastInputs, MemberSpec

if TYPE_CHECKING:
    from training.models.fleet.fit import FitPlan
    from training.models.fleet.network import FleetNetwork

Float32 = npt.NDArray[np.float32]

_CAP = 2.0  # a correction beyond e² is an extrapolation
_LEVEL_STRIDE = 7


@dataclass(frozen=True, slots=True)
class LstmFleet(FleetState):
    """Weights (S, P) of the networks, their levels (S,) and the epochs (S,) that they were fitted for."""

    weights: Float32
    level: Float
    epochs: Ints


def _network(config: Config, width: int) -> FleetNetwork:
    from training.models.fleet.network import FleetNetwork

    return FleetNetwork(config.volatility.network, width, 1)


def _fit_shared(data: FitData) -> LstmFleet:
    from training.models.fleet.fit import FitPlan

    part, seed = data.config.volatility, data.config.run.seed
    plan = replace(FitPlan.of(part.fit, seed), epochs=part.fit.pooled_epochs, batch_size=part.fit.pooled_batch_size)
    network = _network(data.config, len(data.design.own))
    return _fit(data, network, plan, network.initial_weights((POOLED,), seed), part.fit.pooled_rows, data.tested)


def _fit_own(data: FitData, shared: LstmFleet) -> LstmFleet | None:
    """Fit each symbol's network, from nothing or from the shared one; one that fails keeps its initial weights."""
    from training.models.fleet.fit import FitPlan

    part, seed, symbols = data.config.volatility, data.config.run.seed, data.panel.symbols
    if part.strategy == "pooled":
        return None
    network, plan = _network(data.config, len(data.design.own)), FitPlan.of(part.fit, seed)
    initial = network.initial_weights(symbols, seed)
    if part.strategy == "finetuned":
        initial = np.repeat(shared.weights, len(symbols), axis=0)
        plan = replace(plan, learning_rate=part.fit.finetune_learning_rate, shrinkage=part.fit.shrinkage)
    return _fit(data, network, plan, initial, None, data.tested)


def _fit(
    data: FitData,
    network: FleetNetwork,
    plan: FitPlan,
    initial: Float32,
    pooled_rows: int | None,
    tested: Mapping[str, FleetState],
) -> LstmFleet:
    from training.models.fleet.fit import fit_fleet
    from training.models.fleet.losses import qlike

    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(np.stack([data.examples.targets, data.panel_base], axis=1))
    logs[~np.isfinite(logs).all(axis=1)] = 0.0  # a window without a target or a base forecast; the loss ignores it
    design, window = data.design.narrow(), data.config.volatility.network.window
    fitted_on = fleet_data(data.examples, window, design, logs.astype(np.float32), pooled_rows=pooled_rows)
    earlier = tested.get("lstm")
    epochs = earlier.epochs[: len(initial)] if isinstance(earlier, LstmFleet) else None
    fit = fit_fleet(network, qlike, fitted_on, plan, initial, epochs=epochs)
    return LstmFleet(fit.weights, _levels(network, fit.weights, fitted_on), fit.best_epoch)


def _levels(network: FleetNetwork, weights: Float32, data: FleetData) -> Float:
    """Return each network's level (S,), which makes mean(y / f) = 1 on (every seventh of) its train windows."""
    from training.models.fleet.fit import predict_fleet

    ends = tuple(values[::_LEVEL_STRIDE] for values in data.train)
    factors = _factors(np.concatenate([out[:, 0] for out in predict_fleet(network, weights, data.buffer, ends)]))
    logs = np.concatenate([data.targets[i, values] for i, values in enumerate(ends)])
    index = np.repeat(np.arange(len(ends)), [len(values) for values in ends])
    target, base = np.exp(logs.astype(np.float64)).T
    return RatioSums.of(target, base * factors, index, np.ones(len(index), bool), len(ends)).level()


def _factors(outputs: npt.NDArray[np.floating]) -> Float:
    """Return the factors (n,) on the base forecast that a network's outputs (n,) stand for."""
    return np.exp(np.clip(outputs.astype(np.float64), -_CAP, _CAP))


def _forecast(inputs: ForecastInputs, fleet: LstmFleet) -> Float:
    from training.models.fleet.fit import predict_windows

    bars = np.ascontiguousarray(inputs.bars[:, inputs.design.own])
    network = _network(inputs.config, bars.shape[1])
    outputs = predict_windows(network, fleet.weights, bars, inputs.windows.ends, inputs.symbols)
    return np.asarray(fleet.level[inputs.rows(fleet)] * inputs.base * _factors(outputs[:, 0]))


SPEC = MemberSpec(
    name="lstm",
    title="its own LSTM",
    state=LstmFleet,
    fit_shared=_fit_shared,
    fit_own=_fit_own,
    forecast=_forecast,
    is_slow=True,
    is_network=True,
    share=0.5,
    space={
        "volatility.network.window": Choice(values=(10, 20, 40)),
        "volatility.network.lstm_units": Choice(values=((8,), (16,), (32,))),
        "volatility.network.attention_heads": Choice(values=(0, 2, 4)),
        "volatility.network.dropout": Range(low=0.0, high=0.4),
        "volatility.fit.learning_rate": Range(low=1e-4, high=1e-2, log=True),
        "volatility.fit.pooled_batch_size": Choice(values=(256, 512, 1024)),
    },
)
