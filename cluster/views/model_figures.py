"""The figures of versions in words: metrics with errors, ages, sizes, and the preset that settings come from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from pathlib import PurePosixPath
from typing import Any

from configs.load import load_config, preset_names
from configs.words import counted, signed
from training.metrics.comparison import Comparison, MetricSummary
from training.tasks import catalog

_OF_DATA = ("data.", "run.kinds", "run.seed", "run.studies")  # what differs between runs of one preset


def headline(kind: str, metrics: Mapping[str, Any]) -> str:
    """Return the metric that decides, the strongest baseline's, and their paired difference."""
    task = catalog().get(kind)
    values = flatten(metrics)
    if task is None or task.loss not in values:
        return ""
    summary = MetricSummary(values)
    own = f"{task.loss_title} {number(values[task.loss])}"
    losses = {name: summary.baseline(task.loss, name).value for name, _ in task.layout.references}
    losses = {name: loss for name, loss in losses.items() if math.isfinite(loss)}
    if not losses:
        return f"{task.loss_title} {with_error(summary.model(task.loss))}"
    best = min(losses, key=lambda name: losses[name])
    difference = with_error(summary.difference(task.loss, best), is_signed=True)
    return f"{own}, {best} {number(losses[best])} ({difference})"


def origin(kind: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the horizon in bars, the source of the bars and the preset of a version's settings."""
    section, data = config.get(kind) or {}, config.get("data") or {}
    return {"horizon": section.get("horizon"), "bars": data.get("bars"), "preset": preset_of(config)}


def preset_of(config: Mapping[str, Any]) -> str | None:
    """Return the preset with the fewest other settings, and their number: ``smoke``, ``equities +2``.

    None if the settings are of another version of Fleetcast, whose presets are not known.
    """
    bars = (config.get("data") or {}).get("bars")
    if not isinstance(bars, str | list):
        return None
    own = flatten(config)
    found: dict[str, int] = {}
    for name in preset_names():
        there = _preset_settings(name, "embedded" if bars == "embedded" else "lake")
        keys = [key for key in {*own, *there} if not key.startswith(_OF_DATA)]
        found[name] = sum(own.get(key) != there.get(key) for key in keys)
    best = min(found, key=lambda name: found[name])
    return best if not found[best] else f"{best} +{found[best]}"


def bars_in_words(bars: Any) -> str:
    """Return where bars come from: a name, the last part of a path, or the number of files."""
    if isinstance(bars, list | tuple):
        return counted(len(bars), "file")
    return PurePosixPath(str(bars)).name if bars else ""


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested values as ``a.b`` → value."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict) and value:
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def age(seconds: float) -> str:
    """Return an age in its largest whole unit."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return f"{max(int(seconds), 0)} s"


def size(count: float) -> str:
    """Return a number of bytes in the unit that keeps it below 1024."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


def with_error(found: Comparison, is_signed: bool = False) -> str:
    """Return a value with its standard error, if it is known."""
    if not math.isfinite(found.value):
        return "–"
    text = signed(found.value) if is_signed else number(found.value)
    return f"{text} ± {number(found.se)}" if math.isfinite(found.se) else text


def number(value: Any) -> str:
    """Return a metric with four digits; – if it is unknown."""
    return "–" if value is None or not math.isfinite(value) else f"{value:.4f}".replace("-", "−")


@cache
def _preset_settings(name: str, bars: str) -> dict[str, Any]:
    return flatten(load_config(name, overrides=[f"data.bars={bars}"]).of_models())
