"""Options of ``fleetcast walk-forward`` as settings."""

from __future__ import annotations

from typing import Any

from cluster.options.option_values import names
from configs.errors import ConfigError
from configs.layers import Layer, of_option


def window_layers(
    kinds: str | None,
    train_window: int | None,
    test_window: int | None,
    expanding: bool | None,
    purge: str | None,
    embargo: int | None,
    refit_every: int | None,
) -> list[Layer]:
    """Return a layer for each option that is given.

    Raises
    ------
    ConfigError
        ``purge`` is neither ``auto`` nor a number, or ``kinds`` names nothing.
    """
    layers = [] if kinds is None else [of_option(f"--kinds {kinds}", "run.kinds", names("--kinds", kinds))]
    given: dict[str, Any] = {
        "train-window": train_window,
        "test-window": test_window,
        "expanding": expanding,
        "embargo": embargo,
        "refit-every": refit_every,
    }
    for name, value in given.items():
        if value is not None:
            layers.append(of_option(f"--{name} {value}", f"walk_forward.{name.replace('-', '_')}", value))
    if purge is not None:
        if purge != "auto" and not purge.isdecimal():
            raise ConfigError(f"--purge {purge!r} is not usable; expected auto (the horizon) or a number of bars.")
        bars = None if purge == "auto" else int(purge)
        layers.append(of_option(f"--purge {purge}", "walk_forward.purge", bars))
    return layers
