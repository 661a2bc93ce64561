"""The hash of the fitting code covers what a worker imports, and nothing else."""

import ast
import io
import shutil
import tokenize
from functools import cache
from pathlib import Path

import pytest
from processor_time import assert_fast, processor_s

from training.registry.provenance import code_hash, code_of, import_closure
from training.run.block_jobs import FITTING_CODE

ROOT = Path(__file__).parents[3]
PACKAGES = ("configs", "features", "training", "tuning", "serving", "cluster")


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("tree")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
    return root


def hash_after_editing(tree: Path, *edits: tuple[str, str, str]) -> str:
    """Return the hash of the fitting code after these edits, and restore the files.

    An edit is a file, an old text, and the new text in its place; it goes to the file's end where the old one is empty.
    """
    before = {name: (tree / name).read_text() for name, _, _ in edits}
    try:
        for name, old, new in edits:
            text = (tree / name).read_text()
            assert old in text
            (tree / name).write_text(text.replace(old, new, 1) if old else text + new)
        return code_hash.__wrapped__(FITTING_CODE, root=tree)
    finally:
        for name, text in before.items():
            (tree / name).write_text(text)


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
    assert hash_after_editing(tree, (name, "", "X = 1\n")) != code_hash(FITTING_CODE, root=tree)


def test_editing_other_code_does_not(tree):
    names = (
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
    )
    edits = [(name, "", "X = 1\n") for name in names]
    assert hash_after_editing(tree, *edits) == code_hash(FITTING_CODE, root=tree)


def test_editing_a_heading_a_title_or_a_docstring_does_not(tree):
    places = (
        ("training/tasks/direction.py", "up/down acc. %"),
        ("training/tasks/direction.py", "the class prior"),
        ("training/tasks/volatility.py", '"QLIKE"'),
        ("training/tasks/volatility.py", "its own log-HAR alone"),
        ("training/models/volatility/members/garch.py", '"GARCH"'),
        ("training/models/volatility/members/linear.py", "its own linear member"),
        ("training/run/worker.py", "What a worker does with a job"),
        ("training/predictors/fleet.py", "None can be fitted."),
    )
    edits = [(name, old, '"Other words"' if old.startswith('"') else "Other words") for name, old in places]
    assert hash_after_editing(tree, *edits) == code_hash(FITTING_CODE, root=tree)


@pytest.mark.parametrize("new", ["# A comment.\n", "\n\n", "    # A comment.\n\n"])
def test_more_lines_without_code_do_not(tree, new):
    assert hash_after_editing(tree, ("training/run/worker.py", "", new)) == code_hash(FITTING_CODE, root=tree)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("training/tasks/direction.py", '"up_down_accuracy"', '"other"'),
        ("training/models/volatility/members/garch.py", 'name="garch"', 'name="other"'),
        ("training/run/worker.py", "_KEPT_PANELS = 3", "_KEPT_PANELS = 4"),
    ],
)
def test_editing_code_next_to_them_invalidates(tree, name, old, new):
    assert hash_after_editing(tree, (name, old, new)) != code_hash(FITTING_CODE, root=tree)


@pytest.mark.slow
def test_what_the_hash_leaves_out_is_what_pythons_own_tokenizer_finds():
    for path, source in import_closure([FITTING_CODE, "serving.window_cache"]).items():
        assert tokens_without_words(code_of(source)) == tokens_without_words(source), path


def test_texts_that_are_no_docstrings_stay():
    text = 'SQL = """\nselect 1  -- # no comment\n\n"""\nf("""a""", title="b", name="c")\n'
    assert code_of(text) == text.replace('title="b"', 'title=""')
    assert (
        code_of('def f():\n    """Words."""\n\n    # More.\n    return 1\n') == 'def f():\n    """"""\n    return 1\n'
    )
    assert code_of('X = \'"""\'\n\n') == 'X = \'"""\'\n\n'


def tokens_without_words(source: str) -> list[str]:
    """Return a source's tokens; docstrings and texts that a name ``…title`` gets are empty."""
    skipped = (tokenize.COMMENT, tokenize.NL, tokenize.ENCODING)
    found = [one for one in tokenize.tokenize(io.BytesIO(source.encode()).readline) if one.type not in skipped]
    out = []
    for i, token in enumerate(found[:-1]):
        is_statement = found[i - 1].type in (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT) or i == 0
        is_doc = is_statement and found[i + 1].type == tokenize.NEWLINE and token.string.endswith('"""')
        is_title = found[i - 1].string == "=" and found[i - 2].string.endswith("title")
        is_text = token.type == tokenize.STRING and token.string[0] in '"r'
        out.append("words" if is_text and (is_doc or is_title) else token.string)
    return out


def test_the_hash_does_not_depend_on_where_the_project_lies(tree):
    assert code_hash(FITTING_CODE, root=tree) == code_hash(FITTING_CODE)
    assert code_hash(*PACKAGES, root=tree) == code_hash(*PACKAGES)


def test_every_module_of_a_catalog_is_found():
    found = import_closure([FITTING_CODE])
    for folder in ("features/indicators", "training/models"):
        paths = {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*.py")}
        fits = {path for path in paths if not path.startswith("training/models/encoder/")}  # it scores texts
        fits -= {"training/models/fleet/threads.py"}  # called before a fit; the number of threads is a setting
        assert fits <= found.keys()


@pytest.mark.slow
@pytest.mark.parametrize("module", [FITTING_CODE, "cluster.cli"])
def test_scanning_finds_what_parsing_finds(module):
    assert set(import_closure([module])) == parsed_closure(module)


def test_the_hash_takes_less_than_parsing():
    """A quarter to two thirds of it, measured: what a command waits for before it knows what has been fitted."""
    sources = list(import_closure([FITTING_CODE]).values())
    parsing_s = min(processor_s(lambda: [ast.parse(source) for source in sources])[0] for _ in range(3))
    assert_fast(lambda: code_hash.__wrapped__(FITTING_CODE), parsing_s)


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {dotted(path): path for package in PACKAGES for path in (ROOT / package).rglob("*.py")}
DOTTED = {name for name in MODULES if "." in name}


def parsed_closure(module: str) -> set[str]:
    """Return the paths that ``import_closure`` promises, found by Python's own parser."""
    waiting, followed = set(modules_of(module)), set()
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
            parent = {text.rpartition(".")[0]} & DOTTED
            found |= (modules_of(text) if "." in text else set()) or parent
        elif isinstance(node, ast.Name) and node.id == "__path__":
            found |= modules_of(dotted(path))
        waiting += ast.iter_child_nodes(node)
    return found


@cache
def modules_of(name: str) -> frozenset[str]:
    """Return a module, or all modules of a package."""
    is_package = name in MODULES and MODULES[name].name == "__init__.py"
    return frozenset(one for one in MODULES if one == name or (is_package and one.startswith(f"{name}.")))
