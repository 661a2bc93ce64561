"""Layers of a configuration: settings from one place each (preset, file, option), merged in order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from configs.errors import ConfigError, masked, shown
from configs.yaml_text import MAX_BYTES, MAX_DEPTH, parsed_yaml

PRESETS = Path(__file__).parent / "presets"
_WITH_EMBEDDED_BARS = "with_embedded_bars"
_EMBEDDED = "embedded"


@dataclass(frozen=True, slots=True)
class Layer:
    """Nested settings, and the place that they come from as errors name it, such as ``--set run.seed=3``."""

    source: str
    values: Mapping[str, Any]


def preset_names() -> list[str]:
    """Return the names that ``--preset`` accepts."""
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


def with_preset(preset: str | None, given: Sequence[Layer]) -> list[Layer]:
    """Return the layers of a configuration: the preset's, then those that were given.

    Dates and market series of the embedded bars mean nothing for others: a preset's section ``with_embedded_bars``
    applies only if ``data.bars`` is ``embedded`` in the end. Without a preset, embedded bars take ``demo``, and all
    others ``equities``.

    Raises
    ------
    ConfigError
        There is no such preset.
    """
    if preset is None:
        preset = "demo" if _bars(given) == _EMBEDDED else "equities"
    if preset not in preset_names():
        raise ConfigError(f"preset {preset!r} does not exist. Choose one of: {', '.join(preset_names())}.")
    values = read_yaml(PRESETS / f"{preset}.yaml")
    only_embedded = values.pop(_WITH_EMBEDDED_BARS, {})
    layers = [Layer(f"preset {preset!r}", values)]
    if _bars([*layers, *given]) == _EMBEDDED:
        layers.append(Layer(f"preset {preset!r}", only_embedded))
    return [*layers, *given]


def of_file(path: str | Path) -> Layer:
    """Return the settings of a YAML file; ``ConfigError`` if it cannot be read."""
    return Layer(f"config file {str(path)!r}", read_yaml(Path(path)))


def of_override(text: str) -> Layer:
    """Return the setting of ``section.key=value``, whose value is YAML; ``ConfigError`` if it is not of that form."""
    key, separator, raw = text.partition("=")
    if not separator or not all(key.split(".")) or key.count(".") >= MAX_DEPTH:
        raise ConfigError(
            f"--set {shown(text)} is not of the form section.key=value, such as --set direction.fit.epochs=5."
        )
    value = parsed_yaml(raw, f"--set {key[:80]}: value {shown(raw)}")
    return of_option(f"--set {masked(' '.join(text.split())):.80}", key, value)


def of_option(source: str, path: str, value: Any) -> Layer:
    """Return one setting by its path, such as ``data.bars``."""
    for part in reversed(path.split(".")):
        value = {part: value}
    return Layer(source, value)


def merged(layers: Iterable[Layer]) -> dict[str, Any]:
    """Return the settings of all layers; later ones win, mappings merge key by key."""
    values: dict[str, Any] = {}
    for layer in layers:
        values = _merge(values, layer.values)
    return values


def source_of(layers: Sequence[Layer], path: Sequence[int | str]) -> str | None:
    """Return the place of the last layer that sets a path, a part of it, or a section that it is in."""
    for layer in reversed(layers):
        place: Any = layer.values
        for part in path:
            if not isinstance(place, Mapping) or not place:
                break  # the layer gives the whole value that the path is in
            if part not in place:
                place = None
                break
            place = place[part]
        else:
            return layer.source
        if place is not None and place != {}:
            return layer.source
    return None


def sources_in(layers: Sequence[Layer], section: Sequence[int | str]) -> list[str]:
    """Return the places of all layers that set something in a section."""
    return list(dict.fromkeys(layer.source for layer in layers if source_of([layer], section)))


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file; ``ConfigError`` if there is none."""
    what = f"config file {str(path)!r}"
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{what} cannot be read: {error}. Check the path.") from error
    value = parsed_yaml(text, what)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ConfigError(f"{what} is a {type(value).__name__}; expected sections such as 'data:' and 'run:'.")
    return value


def _bars(layers: Sequence[Layer]) -> Any:
    data = merged(layers).get("data")
    return data.get("bars", _EMBEDDED) if isinstance(data, Mapping) else _EMBEDDED


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    values = dict(base)
    for key, value in over.items():
        nested = isinstance(value, Mapping) and isinstance(values.get(key), Mapping)
        values[key] = _merge(values[key], value) if nested else value
    return values
