"""The house plan: imports run one way, only cluster/ starts Ray, and nothing unsafe is ever loaded."""

import ast
from collections import Counter
from functools import cache
from graphlib import CycleError, TopologicalSorter
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
MODULES = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in FILES}


@cache
def parsed(path):
    return ast.parse(path.read_text())


def shown(path):
    return path.relative_to(ROOT).as_posix()


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module


def called(node):
    """Return the dotted name that a call calls, such as ``json.loads``; empty where it has none."""
    function, parts = node.func, []
    while isinstance(function, ast.Attribute):
        parts.append(function.attr)
        function = function.value
    return ".".join([function.id, *reversed(parts)]) if isinstance(function, ast.Name) else ""


def calls(path):
    """Return the dotted names that a file calls."""
    return {called(node) for node in ast.walk(parsed(path)) if isinstance(node, ast.Call)} - {""}


@pytest.mark.slow
def test_imports_run_one_way_and_nothing_unsafe_is_loaded():
    wrong = {}
    for path in FILES:
        layer = path.relative_to(ROOT).parts[0]
        tops = {name.split(".")[0] for name in imported(parsed(path))}
        refused = (tops & set(LAYERS)) - MAY_IMPORT[layer] | tops & (FORBIDDEN.get(layer, set()) | UNSAFE)
        if refused:
            wrong[shown(path)] = refused
    assert len(FILES) > 500 and not wrong


def imported_modules(tree, *, in_functions=False):
    """Yield our modules that a file imports when it is loaded; imports for type checkers are annotations only.

    With ``in_functions`` those that it imports later, too: in bodies of functions, and by names given as texts.
    """
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield submodule if submodule in MODULES else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        elif in_functions or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if in_functions and isinstance(node, ast.Call) and LATER & set(called(node).split(".")):
                texts = {part.value for part in ast.walk(node) if isinstance(part, ast.Constant)}
                yield from texts & MODULES.keys()
            yield from imported_modules(node, in_functions=in_functions)


def cycle_of(graph):
    """Return the modules of one circle, the first one again at the end; None if there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return None


def test_no_module_imports_itself_through_others():
    graph = {name: set(imported_modules(parsed(path))) for name, path in MODULES.items()}
    assert cycle_of(graph) is None


LATER = {"import_module", "lazy_names"}  # functions that import modules by their names
EXCUSED = {("training.backtesting.result", "training.backtesting.report")}  # `to_html` of a result writes its report


@pytest.mark.slow
def test_no_module_imports_itself_through_others_in_functions_either():
    graph = {name: set(imported_modules(parsed(path), in_functions=True)) for name, path in MODULES.items()}
    for name, path in MODULES.items():  # a catalog imports the modules that it lists
        if path.name == "__init__.py" and "(__path__)" in path.read_text():
            graph[name] |= {module for module in MODULES if module.startswith(f"{name}.")}
    assert all(other in graph[name] for name, other in EXCUSED), "an excuse is needed no more"
    assert cycle_of(graph) is not None
    for name, other in EXCUSED:
        graph[name].remove(other)
    assert cycle_of(graph) is None


def test_a_circle_of_imports_is_found_wherever_it_runs_at_import():
    text = "if TYPE_CHECKING:\n    import features.panel\ntry:\n    import features.splits\nfinally:\n    pass\n"
    tree = ast.parse(text + "def f():\n    import features.labels")
    assert list(imported_modules(tree)) == ["features.splits"]
    assert list(imported_modules(tree, in_functions=True)) == ["features.splits", "features.labels"]
    named = ast.parse("def f():\n    return importlib.import_module('features.labels').x('features.panel', name)")
    assert list(imported_modules(named, in_functions=True)) == ["features.labels"]
    assert cycle_of({"a": {"b"}, "b": {"c"}, "c": {"a"}}) is not None and cycle_of({"a": {"b"}, "b": set()}) is None


def test_calls_are_found_by_their_dotted_names(tmp_path):
    (tmp_path / "x.py").write_text(
        "import ray\n@ray.init()\ndef f(): return g(a.b.c(json.loads(h())), x[0].y(), 'a'.z())"
    )
    assert calls(tmp_path / "x.py") == {"ray.init", "g", "a.b.c", "json.loads", "h"}


@pytest.mark.slow
def test_only_the_cluster_layer_starts_ray():
    files = [path for path in FILES if "cluster" not in path.parts]
    assert not [shown(path) for path in files if calls(path) & {"ray.init", "serve.run", "serve.start"}]


STANDALONE = {ROOT / "cluster/haproxy.py"}  # runs without the project, and reads what the project wrote


def test_json_is_read_by_the_parser_that_limits_its_depth():
    files = [path for path in FILES if path not in STANDALONE]
    assert not [shown(path) for path in files if calls(path) & {"json.loads", "json.load"}]


def test_commands_are_short():
    for path in (ROOT / "cluster" / "commands").glob("*.py"):
        bodies = [n for n in ast.walk(parsed(path)) if isinstance(n, ast.FunctionDef)]
        assert all(body.end_lineno - body.lineno < 60 for body in bodies), path


def test_no_module_has_more_than_250_lines():
    files = [*FILES, *(ROOT / "tests").rglob("*.py")]
    assert not {shown(path): lines for path in files if (lines := len(path.read_text().splitlines())) > 250}


SAME_THING = {  # of the same thing in two places, such as an indicator and its running form, or a command and its work
    *("base", "direction", "doctor", "forecasts", "lake", "outcomes", "quarantine", "regime", "view", "volatility"),
}


def test_a_name_of_a_module_is_that_of_one_thing_in_a_package():
    names = Counter((path.relative_to(ROOT).parts[0], path.stem) for path in FILES if path.stem != "__init__")
    assert [name for name, count in names.items() if count > 1 and name[1] not in SAME_THING] == []


def test_the_top_level_is_as_agreed():
    agreed = {*LAYERS, "tests", "pyproject.toml", "README.md", "LICENSE"}
    found = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    assert found - {"uv.lock"} <= agreed


TRAINING_ORDER = (
    "data",
    "metrics",
    "models",
    "tasks",
    "predictors",
    "validation",
    "strategy",
    "registry",
    "run",
    "backtesting",
)


def test_imports_between_the_folders_of_training_run_one_way():
    """A folder imports itself and earlier ones; imports for type checkers do not count."""
    wrong = {}
    for path in sorted((ROOT / "training").glob("*/**/*.py")):
        types_only = [
            node
            for node in ast.walk(parsed(path))
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        ]
        names = set(imported(parsed(path))) - {name for node in types_only for name in imported(node)}
        folder = path.relative_to(ROOT / "training").parts[0]
        used = {name.split(".")[1] for name in names if name.startswith("training.")}
        if refused := used - set(TRAINING_ORDER[: TRAINING_ORDER.index(folder) + 1]):
            wrong[shown(path)] = refused
    assert not wrong
