"""The names that ``training`` offers: quick to import, and every class's example works as it stands."""

import subprocess
import sys
from pathlib import Path

import pytest

import training

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]

EXAMPLES = """
import doctest, shutil, sys, tempfile, training
new = tempfile.mkdtemp
tempfile.mkdtemp = lambda: shutil.copytree(sys.argv[1], new() + "/store")  # what it has is not trained again
for name in sys.argv[2:]:
    shown = getattr(training, name)
    module = sys.modules[shown.__module__]
    examples = doctest.DocTestFinder(recurse=False).find(shown, name, module)
    found = [doctest.DocTestRunner().run(one) for one in examples]
    print(name, sum(one.attempted for one in found), sum(one.failed for one in found))
"""


def python(code: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_package_does_not_import_tensorflow():
    code = (
        "import sys, training; dir(training); print([m for m in ('tensorflow', 'pandas', 'ray') if m in sys.modules])"
    )
    assert python(code).strip() == "[]"


def test_every_name_is_there():
    for name in training.__all__:
        assert getattr(training, name).__name__ == name
    assert dir(training) == sorted(training.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        training.Nothing  # noqa: B018


def test_every_example_works(smoke_store):
    """In a process of its own, where no cluster runs."""
    out = python(EXAMPLES, str(smoke_store), *training.__all__)
    results = [line.rsplit(" ", 2) for line in out.splitlines() if line.split(" ")[0] in training.__all__]
    assert [name for name, _, _ in results] == training.__all__, out
    assert all(int(attempted) > 0 for _, attempted, _ in results), out
    assert all(int(failed) == 0 for _, _, failed in results), out
