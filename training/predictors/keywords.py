"""The settings of a predictor's network as plain keywords, and the configuration that they make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from configs.errors import ConfigError, shown
from configs.load import config_or, validated
from configs.schema import Config

_HEADS = (4, 2, 1)


def configured(config: Config | None, kind: str, given: Mapping[str, Any], name: str) -> Config:
    """Return a configuration with the settings of a kind that are given as keywords; None leaves one as it is.

    Raises
    ------
    ConfigError
        ``config`` is no configuration, or a value is out of range; the message names the predictor ``name``.
    """
    config = config_or(config, name)
    given = {keyword: value for keyword, value in given.items() if value is not None}
    for keyword, spelled in (("model_type", str.lower), ("garch_type", str.upper)):
        if isinstance(given.get(keyword), str):
            given[keyword] = spelled(given[keyword])
    if not given:
        return config
    values = {f"{kind}.{path}": given[keyword] for keyword, path in _PATHS.items() if keyword in given}
    values |= {f"{kind}.network.{path}": value for path, value in _network(config, kind, given, name).items()}
    return validated(config.replaced(values), name)


_PATHS = {
    "horizon": "horizon",
    "sequence_length": "network.window",
    "dropout_rate": "network.dropout",
    "model_type": "model",
    "garch_type": "garch",
}


def _network(config: Config, kind: str, given: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the layers and the heads of attention, which depend on each other."""
    network = config.section(kind).network
    units, layers = given.get("lstm_units", network.lstm_units), given.get("num_layers")
    if layers is not None and (not isinstance(layers, int) or isinstance(layers, bool) or layers < 1):
        raise ConfigError(
            f"{name}: num_layers has value {shown(layers)}; expected a whole number of layers, such as 2."
        )
    if isinstance(units, int):
        units = (units,) * (layers or len(network.lstm_units))
    elif layers is not None and isinstance(units, (tuple, list)) and len(units) != layers:
        if "lstm_units" in given:
            raise ConfigError(f"{name}: lstm_units {shown(units)} has {len(units)} layers and num_layers is {layers}.")
        units = (*units, *(units[-1:] * layers))[:layers]
    values: dict[str, Any] = {"lstm_units": units} if "lstm_units" in given or layers is not None else {}
    attention = given.get("use_attention")
    if attention is not None and not isinstance(attention, bool):
        raise ConfigError(f"{name}: use_attention has value {shown(attention)}; expected True or False.")
    if attention is False:
        values["attention_heads"] = 0
    elif isinstance(units, (tuple, list)) and units and isinstance(units[-1], int):
        wanted = network.attention_heads or (4 if attention else 0)
        if wanted and units[-1] % wanted:
            wanted = next(heads for heads in _HEADS if units[-1] % heads == 0)
        values["attention_heads"] = wanted
    return values
