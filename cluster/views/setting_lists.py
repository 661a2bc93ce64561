"""The output of ``fleetcast config``: settings as text or one JSON document."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from configs.load import load_config, preset_names
from configs.schema import Config
from configs.settings import Setting, sections

_WIDTH = 80


def show_settings(settings: Sequence[Setting], config: Config, as_json: bool) -> None:
    """Print settings by section, with their values in a configuration."""
    values = {setting.path: value_at(config, setting.path) for setting in settings}
    if as_json:
        print(json.dumps({"settings": [{**asdict(one), "value": values[one.path]} for one in settings]}))
        return
    before = ""
    for setting in settings:
        section = setting.path.rpartition(".")[0]
        if section != before:
            print(("\n" if before else "") + _wrapped(f"# {section}: {sections()[section]}", "#   "))
            before = section
        value = values[setting.path]
        default = "" if value == setting.default else f", default {_text(setting.default)}"
        print(_wrapped(f"{setting.path} = {_text(value)}  ({setting.type}{default})", "    "))
        print(_wrapped(f"    {setting.meaning}", "    "))


def show_description(settings: Sequence[Setting], as_json: bool) -> None:
    """Print settings with the presets that change them."""
    configs = {name: load_config(name) for name in preset_names()}
    changed = {
        setting.path: {
            name: value
            for name, config in configs.items()
            if (value := value_at(config, setting.path)) != setting.default
        }
        for setting in settings
    }
    if as_json:
        print(json.dumps({"settings": [{**asdict(one), "presets": changed[one.path]} for one in settings]}))
        return
    for number, setting in enumerate(settings):
        presets = ", ".join(f"{name}: {_text(value)}" for name, value in changed[setting.path].items())
        lines = [
            ("meaning", setting.meaning),
            ("type", setting.type),
            ("default", _text(setting.default)),
            ("presets", presets),
            ("set it", f"--set '{setting.path}={_text(setting.default)}'"),
        ]
        print(("\n" if number else "") + setting.path)
        for name, text in lines:
            if text:
                print(_wrapped(f"  {name:9}{text}", " " * 11))


def value_at(config: Config, path: str) -> Any:
    """Return the value of a setting as JSON."""
    found: Any = config.model_dump(mode="json")
    for part in path.split("."):
        found = found[part]
    return found


def _text(value: Any) -> str:
    """Return a value as YAML on one line, which ``--set`` accepts."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _wrapped(text: str, indent: str) -> str:
    return textwrap.fill(text, _WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
