"""The house plan: imports run one way, only cluster/ starts Ray, and nothing unsafe is ever loaded."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = ("configs", "features", "training", "tuning", "serving", "cluster")
MAY_IMPORT = {
    "configs": {"configs"},
    "features": {"configs", "features"},
    "training": {"configs", "features", "training"},
    "tuning": {"configs", "features", "training", "tuning"},
    "serving": {"configs", "features", "training", "serving"},
    "cluster": set(LAYERS),
}
FORBIDDEN = {
    "features": {"tensorflow", "keras", "ray", "jax"},
    "configs": {"tensorflow", "keras", "ray", "numpy", "pandas"},
}
UNSAFE = {"pickle", "cloudpickle", "joblib", "dill", "shelve"}
FILES = sorted(path for layer in LAYERS for path in (ROOT / layer).rglob("*.py"))


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_one_way_and_nothing_unsafe_is_loaded(path):
    layer = path.relative_to(ROOT).parts[0]
    tops = {name.split(".")[0] for name in imported(ast.parse(path.read_text()))}
    assert tops & set(LAYERS) <= MAY_IMPORT[layer]
    assert not tops & FORBIDDEN.get(layer, set())
    assert not tops & UNSAFE


@pytest.mark.parametrize("path", [p for p in FILES if "cluster" not in p.parts], ids=lambda p: str(p.relative_to(ROOT)))
def test_only_the_cluster_layer_starts_ray(path):
    calls = [ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    assert not {"ray.init", "serve.run", "serve.start"} & set(calls)


def test_only_public_names_of_ray_are_imported():
    names = [name for path in FILES for name in imported(ast.parse(path.read_text())) if name.split(".")[0] == "ray"]
    assert names and not [name for name in names if any(part.startswith("_") for part in name.split("."))]


def test_commands_are_short():
    for path in (ROOT / "cluster" / "commands").glob("*.py"):
        bodies = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.FunctionDef)]
        assert all(body.end_lineno - body.lineno < 60 for body in bodies), path


def test_the_top_level_is_as_agreed():
    agreed = {*LAYERS, "tests", "pyproject.toml", "README.md", "LICENSE"}
    found = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    assert found - {"uv.lock"} <= agreed
