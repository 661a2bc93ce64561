"""From preset, file and ``--set`` to one validated :class:`~configs.schema.Config`."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from configs.errors import ConfigError, shown
from configs.schema import Config

_PRESETS = Path(__file__).parent / "presets"

logger = logging.getLogger(__name__)


class _Loader(yaml.SafeLoader):
    """YAML whose only booleans are true and false: ON and NO are symbols, not switches."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool" or first in "tTfF"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def preset_names() -> list[str]:
    """Return the names that ``--preset`` accepts."""
    return sorted(path.stem for path in _PRESETS.glob("*.yaml"))


def load_config(preset: str = "demo", file: str | Path | None = None, overrides: Iterable[str] = ()) -> Config:
    """Resolve a run's configuration; later sources win: preset, then file, then overrides.

    Parameters
    ----------
    preset
        One of :func:`preset_names`.
    file
        A YAML file with any part of the schema.
    overrides
        ``"a.b=value"`` strings; the value is read as YAML (``[1, 2]``, ``true``, ``2014-12-31``).

    Raises
    ------
    ConfigError
        An unknown preset, a file that cannot be read, an unknown key, or a value out of range.

    Examples
    --------
    >>> load_config("demo", overrides=["run.seed=3"]).run.seed
    3
    """
    if preset not in preset_names():
        raise ConfigError(f"preset {preset!r} does not exist. Choose one of: {', '.join(preset_names())}.")
    logger.debug("configuration from preset %s%s", preset, f" and file {file}" if file is not None else "")
    merged = _read_yaml(_PRESETS / f"{preset}.yaml")
    source = f"preset {preset!r}"
    if file is not None:
        merged = _merge(merged, _read_yaml(Path(file)))
        source = f"config file {str(file)!r}"
    for override in overrides:
        merged = _merge(merged, _parse_override(override))
        source = "the configuration"
    return validated(merged, source)


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


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        value = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"config file {str(path)!r} cannot be read: {error}. Check the path.") from error
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"config file {str(path)!r} is not valid YAML: {' '.join(str(error).split())}.") from error
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ConfigError(
            f"config file {str(path)!r} is a {type(value).__name__}; expected sections such as 'data:' and 'run:'."
        )
    return value


def _parse_override(text: str) -> dict[str, Any]:
    key, separator, raw = text.partition("=")
    if not separator or not all(key.split(".")):
        raise ConfigError(f"--set {text!r} is not of the form section.key=value, such as --set direction.fit.epochs=5.")
    try:
        value: Any = yaml.load(raw, _Loader)
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"--set {key}: value {raw!r} is not valid YAML: {' '.join(str(error).split())}.") from error
    for part in reversed(key.split(".")):
        value = {part: value}
    return dict(value)


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        nested = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merge(merged[key], value) if nested else value
    return merged


def validated(values: Mapping[str, Any], source: str) -> Config:
    """Return the configuration of nested values; errors name ``source``.

    Raises
    ------
    ConfigError
        An unknown key, or a value out of range.
    """
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        lines = []
        problems = error.errors(include_url=False)
        for item in problems:
            if any(other["loc"][: len(item["loc"])] == item["loc"] and other is not item for other in problems):
                continue  # a list that is too short because an item, which has its own error, is invalid
            place = ".".join(str(part) for part in item["loc"]) or "config"
            if item["type"] == "extra_forbidden":
                lines.append(f"{place} is not a setting ({_siblings(item['loc'])})")
            else:
                given = "" if isinstance(item["input"], Mapping) else f" has value {shown(item['input'])}"
                lines.append(f"{place}{given}: {item['msg'].removeprefix('Value error, ')}")
        raise ConfigError(f"{source}: {'; '.join(lines)}.") from error


def _siblings(location: tuple[int | str, ...]) -> str:
    model: Any = Config
    for part in location[:-1]:
        field = getattr(model, "model_fields", {}).get(str(part))
        model = field.annotation if field is not None else None
    names = getattr(model, "model_fields", {})
    return f"known here: {', '.join(names)}" if names else "see the files in configs/"
