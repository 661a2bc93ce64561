"""What the project and its tests import of Ray is public, apart from a few names."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("configs", "features", "training", "tuning", "serving", "cluster", "tests")

EXCUSED = {
    # The checks of `ray up` and Serve's template for HAProxy, which Ray has no public name for.
    ("tests/cluster/manifests/test_machines.py", "ray.autoscaler._private.util.prepare_config"),
    ("tests/cluster/manifests/test_machines.py", "ray.autoscaler._private.util.validate_config"),
    ("tests/cluster/test_ingress.py", "ray.serve._private.haproxy_templates"),
    # Of Ray's developer API, and undocumented: `ray.train.data_parallel_trainer` has the trainer of Ray Train 1, and
    # the public trainers of Ray Train 2 are those of frameworks.
    ("training/run/worker_group.py", "ray.train.v2.api.data_parallel_trainer.DataParallelTrainer"),
}


def names_of_ray(tree):
    """Yield the full names that a file imports of Ray."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "ray")
        elif isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "ray":
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_internal(name: str) -> bool:
    """Return whether a name of Ray is private, or of a version's folder, which Ray documents no path into."""
    parts = name.split(".")
    return any(part.startswith("_") or part in ("v1", "v2") for part in parts)


@pytest.mark.slow
def test_only_public_names_of_ray_are_imported():
    texts = {path: path.read_text() for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")}
    trees = {path: ast.parse(text) for path, text in texts.items() if re.search(r"^ *(from|import) ray\b", text, re.M)}
    names = {(path.relative_to(ROOT).as_posix(), name) for path, tree in trees.items() for name in names_of_ray(tree)}
    assert len(names) > 50 and {one for one in names if is_internal(one[1])} == EXCUSED


def test_private_names_of_ray_are_found_however_they_are_imported():
    text = "from ray import _private, train\nfrom ray.x import _y as y\nimport ray._z, ray.a\nfrom rayon import _b"
    names = list(names_of_ray(ast.parse(text)))
    assert [name for name in names if is_internal(name)] == ["ray._private", "ray.x._y", "ray._z"]
    assert len(names) == 5
