"""The README keeps up with the code: a verb, a preset or a public name that it does not mention fails here."""

import importlib
import re
from pathlib import Path

import pytest

from cluster.cli import app
from configs import preset_names

README = (Path(__file__).parents[1] / "README.md").read_text()


def verbs():
    for command in app.registered_commands:
        yield command.callback.__name__
    for group in app.registered_groups:
        for command in group.typer_instance.registered_commands:
            yield f"{group.name} {command.name or command.callback.__name__}"


@pytest.mark.parametrize("verb", sorted(verbs()))
def test_every_verb_is_in_the_readme(verb):
    assert f"fleetcast {verb}" in README


@pytest.mark.parametrize("preset", preset_names())
def test_every_preset_is_in_the_readme(preset):
    assert f"`{preset}`" in README


def test_names_that_the_readme_imports_exist():
    imports = re.findall(r"^from (configs|features|training|tuning|serving)([\w.]*) import (.+)$", README, re.MULTILINE)
    assert imports
    for package, rest, names in imports:
        module = importlib.import_module(package + rest)
        for name in names.split(","):
            assert hasattr(module, name.strip())


def test_the_two_commands_stand_in_the_readme():
    assert "pip install uv && uv run fleetcast train" in README
    assert "pip install uv && uv run pytest" in README
