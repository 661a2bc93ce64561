"""From preset, file and ``--set`` to one validated :class:`~configs.schema.Config`."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from configs.errors import ConfigError
from configs.layers import Layer, merged, of_file, of_override, preset_names, with_preset
from configs.problems import explained
from configs.schema import Config

__all__ = ["config_hash", "flat_overrides", "load_config", "preset_names", "validated"]

logger = logging.getLogger(__name__)


def load_config(
    preset: str | None = None, file: str | Path | None = None, overrides: Iterable[str | Layer] = ()
) -> Config:
    """Resolve a run's configuration; later sources win: preset, then file, then overrides.

    Parameters
    ----------
    preset
        One of :func:`preset_names`. By default ``demo`` for the embedded bars, ``equities`` for all others.
    file
        A YAML file with any part of the schema.
    overrides
        ``"a.b=value"`` strings; the value is read as YAML (``[1, 2]``, ``true``, ``2014-12-31``). A
        :class:`~configs.layers.Layer` names another source than ``--set`` in errors.

    Raises
    ------
    ConfigError
        An unknown preset, a file that cannot be read, an unknown key, or a value out of range.

    Examples
    --------
    >>> load_config("demo", overrides=["run.seed=3"]).run.seed
    3
    """
    given = [of_file(file)] if file is not None else []
    given += [one if isinstance(one, Layer) else of_override(one) for one in overrides]
    layers = with_preset(preset, given)
    logger.debug("configuration from %s", ", ".join(layer.source for layer in layers))
    return validated(merged(layers), "the configuration", layers)


def config_or(config: Config | None, name: str, preset: str | None = None) -> Config:
    """Return a configuration as given to ``name``, or that of a preset; without one, the defaults of all settings.

    Raises
    ------
    ConfigError
        Something else is given.
    """
    if config is None:
        return Config() if preset is None else load_config(preset)
    if isinstance(config, Config):
        return config
    how = f"load_config({config!r})" if isinstance(config, str) and config in preset_names() else "load_config()"
    given = repr(config)[:80] if isinstance(config, (str, int, float, bool)) else f"a {type(config).__name__}"
    raise ConfigError(f"{name} was given {given}; expected a Config. Make one: {how}.")


def flat_overrides(values: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Return nested settings as equivalent ``--set`` overrides: ``["run.seed=3", …]``."""
    overrides: list[str] = []
    for key, value in values.items():
        nested = isinstance(value, Mapping) and value
        overrides += flat_overrides(value, f"{prefix}{key}.") if nested else [f"{prefix}{key}={json.dumps(value)}"]
    return overrides


def config_hash(*values: Any) -> str:
    """Return 12 hexadecimal digits of the SHA-256 of values as JSON."""
    text = json.dumps(values, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def validated(values: Mapping[str, Any], source: str, layers: Sequence[Layer] = ()) -> Config:
    """Return the configuration of nested values; errors name the layer of a value, or else ``source``.

    Raises
    ------
    ConfigError
        An unknown key, or a value out of range.
    """
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise explained(error, source, layers) from error
