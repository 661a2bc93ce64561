"""The container file: what it copies exists, its Python fits, and its user is not root."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from cluster.manifests.pods import USER

ROOT = Path(__file__).parents[3]
INSTRUCTIONS = {"ARG", "FROM", "ENV", "RUN", "WORKDIR", "COPY", "USER", "CMD"}


@pytest.fixture
def lines(run):
    """The instructions of the file, one per line."""
    joined = run("containerfile").replace("\\\n", " ")
    return [line for line in joined.splitlines() if line and not line.startswith("#")]


def arguments(lines, instruction):
    return [line.partition(" ")[2] for line in lines if line.startswith(f"{instruction} ")]


def test_it_is_a_container_file(lines):
    assert {line.split()[0] for line in lines} == INSTRUCTIONS
    assert [line.split()[0] for line in lines][:2] == ["ARG", "FROM"]
    declared = {one.partition("=")[0] for one in arguments(lines, "ARG")}
    used = {name for line in lines for name in re.findall(r"\$\{(\w+)\}", line)}
    assert declared == used == {"PYTHON", "TENSORFLOW"}
    assert len(arguments(lines, "FROM")) == 2 and all(one.startswith("python:") for one in arguments(lines, "FROM"))


def test_what_it_copies_exists(lines):
    copied = [one.split()[:-1] for one in arguments(lines, "COPY") if not one.startswith("--from=build ")]
    sources = {name for names in copied for name in names}
    assert sources and all((ROOT / name).exists() for name in sources)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) <= sources
    assert {"pyproject.toml", project["project"]["readme"]} <= sources


def test_versions_are_the_projects(lines):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    [python] = [one.partition("=")[2] for one in arguments(lines, "ARG") if one.startswith("PYTHON=")]
    assert python in SpecifierSet(project["project"]["requires-python"])
    [pinned] = [one for one in project["project"]["dependencies"] if one.startswith("tensorflow==")]
    assert any(f'"${{TENSORFLOW}}=={pinned.partition("==")[2]}"' in one for one in arguments(lines, "RUN"))


def test_its_user_is_the_one_that_pods_expect(lines):
    assert arguments(lines, "USER") == [f"{USER}:{USER}"]
    assert any(f"useradd --uid {USER}" in one for one in arguments(lines, "RUN"))
    last = lines[len(lines) - lines[::-1].index(f"USER {USER}:{USER}") :]
    assert [line.split()[0] for line in last] == ["WORKDIR", "CMD"], "nothing is done as root afterwards"
