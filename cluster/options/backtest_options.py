"""Options of ``fleetcast backtest`` and ``fleetcast signals`` as settings and forecasts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from configs.errors import ConfigError
from configs.layers import Layer, of_option
from configs.load import load_config
from configs.schema import Config

if TYPE_CHECKING:
    from features.store.store import Store
    from training.backtesting.forecasts import OutOfSample


def trading_config(
    file: str | None,
    strategy: str | None,
    benchmark: str | None,
    simulations: int | None,
    overrides: Sequence[str] | None,
) -> Config:
    """Return the configuration whose sections ``strategy`` and ``backtest`` are used.

    Raises
    ------
    ConfigError
        As :func:`configs.load.load_config` does.
    """
    given: dict[str, Any] = {"strategy": strategy, "benchmark": benchmark, "simulations": simulations}
    paths = {"strategy": "strategy.name", "benchmark": "backtest.benchmark", "simulations": "backtest.simulations"}
    layers: list[str | Layer] = list(overrides or [])
    layers += [of_option(f"--{name} {value}", paths[name], value) for name, value in given.items() if value is not None]
    return load_config(None, file, layers)


def chosen_forecasts(store: Store, walk_forward: str | None, version: str | None) -> OutOfSample:
    """Return the forecasts of a walk-forward run, or of a version's test period.

    Raises
    ------
    ConfigError
        Both are named.
    ModelError
        There are none.
    """
    from training.backtesting.sources import of_version, of_walk_forward
    from training.registry.walk_forwards import LATEST

    if walk_forward is not None and version is not None:
        raise ConfigError("--walk-forward and --version are both given. Choose the forecasts of one of them.")
    return of_walk_forward(store, walk_forward or LATEST) if version is None else of_version(store, version)
