"""The hash of the fitting code covers what a worker imports, and nothing else."""

import ast
import shutil
import time
from pathlib import Path

import pytest

from training.registry.provenance import code_hash, import_closure
from training.run.block_jobs import FITTING_CODE

ROOT = Path(__file__).parents[3]
PACKAGES = ("configs", "features", "training", "tuning", "serving", "cluster")


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("tree")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
    return root


def hash_after_editing(tree: Path, name: str) -> str:
    """Return the hash of the fitting code with one byte more in a file, and restore the file."""
    path = tree / name
    before = path.read_bytes()
    path.write_bytes(before + b"\n")
    try:
        return code_hash.__wrapped__(FITTING_CODE, root=tree)
    finally:
        path.write_bytes(before)


@pytest.mark.parametrize(
    "name",
    [
        "configs/models.py",
        "features/indicators/adx.py",
        "features/labels.py",
        "training/data/examples.py",
        "training/metrics/classification.py",
        "training/models/linear/logistic.py",
        "training/models/fleet/__init__.py",
        "training/predictors/kinds/volatility.py",
        "training/run/staging.py",
        "training/run/worker.py",
        "training/validation/evaluate.py",
    ],
)
def test_editing_code_that_fits_invalidates_finished_blocks(tree, name):
    assert hash_after_editing(tree, name) != code_hash(FITTING_CODE, root=tree)


@pytest.mark.parametrize(
    "name",
    [
        "cluster/commands/train.py",
        "cluster/views/leaderboard.py",
        "serving/engine.py",
        "training/registry/manager.py",
        "training/registry/pruning.py",
        "training/run/publication.py",
        "training/run/queue.py",
        "training/trainer.py",
        "training/validation/promotion.py",
        "tuning/study.py",
    ],
)
def test_editing_other_code_does_not(tree, name):
    assert hash_after_editing(tree, name) == code_hash(FITTING_CODE, root=tree)


def test_the_hash_does_not_depend_on_where_the_project_lies(tree):
    assert code_hash(FITTING_CODE, root=tree) == code_hash(FITTING_CODE)
    assert code_hash(*PACKAGES, root=tree) == code_hash(*PACKAGES)


def test_every_module_of_a_catalog_is_found():
    found = import_closure([FITTING_CODE])
    for folder in ("features/indicators", "training/models"):
        paths = {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*.py")}
        fits = {path for path in paths if not path.startswith("training/models/encoder/")}  # it scores texts
        assert fits <= found.keys()


@pytest.mark.slow
@pytest.mark.parametrize("module", [FITTING_CODE, "cluster.cli"])
def test_scanning_finds_what_parsing_finds(module):
    assert set(import_closure([module])) == parsed_closure(module)


def test_the_hash_is_quick():
    took = []
    for _ in range(3):
        start = time.thread_time()  # other threads of this process may compute, and other processes share the caches
        code_hash.__wrapped__(FITTING_CODE)
        took.append(time.thread_time() - start)
    assert min(took) < 0.3


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {dotted(path): path for package in PACKAGES for path in (ROOT / package).rglob("*.py")}


def parsed_closure(module: str) -> set[str]:
    """Return the paths that ``import_closure`` promises, found by Python's own parser."""
    waiting, followed = modules_of(module), set()
    while waiting:
        name = waiting.pop()
        followed.add(name)
        waiting |= parsed_imports(MODULES[name]) - followed
    packages = {name.rsplit(".", depth)[0] for name in followed for depth in range(name.count(".") + 1)}
    return {MODULES[name].relative_to(ROOT).as_posix() for name in followed | packages}


def parsed_imports(path: Path) -> set[str]:
    found, waiting = set(), [ast.parse(path.read_text())]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                found |= modules_of(f"{node.module}.{alias.name}") or {node.module} & MODULES.keys()
        elif isinstance(node, ast.Import):
            found |= {name for alias in node.names for name in modules_of(alias.name)}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value.removesuffix(".")
            parent = {text.rpartition(".")[0]} & {name for name in MODULES if "." in name}
            found |= (modules_of(text) if "." in text else set()) or parent
        elif isinstance(node, ast.Name) and node.id == "__path__":
            found |= modules_of(dotted(path))
        waiting += ast.iter_child_nodes(node)
    return found


def modules_of(name: str) -> set[str]:
    """Return a module, or all modules of a package."""
    is_package = name in MODULES and MODULES[name].name == "__init__.py"
    return {module for module in MODULES if module == name or (is_package and module.startswith(f"{name}."))}
