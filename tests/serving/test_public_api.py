"""The public names of ``serving`` import quickly, and every example runs."""

import subprocess
import sys
from pathlib import Path

import pytest

import serving

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
EXAMPLES = """
import doctest, shutil, sys, tempfile, serving
new = tempfile.mkdtemp
tempfile.mkdtemp = lambda: shutil.copytree(sys.argv[1], new() + "/store")  # what it has is not trained again
for name in serving.__all__:
    shown = getattr(serving, name)
    module = sys.modules[shown.__module__]
    found = [doctest.DocTestRunner().run(one) for one in doctest.DocTestFinder(recurse=False).find(shown, name, module)]
    print("example", name, sum(one.attempted for one in found), sum(one.failed for one in found))
"""


def python(code, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_package_imports_no_heavy_library():
    heavy = ("tensorflow", "pandas", "ray", "httpx2", "fastapi")
    assert python(f"import sys, serving; dir(serving); print([m for m in {heavy} if m in sys.modules])").strip() == "[]"
    code = "import sys, serving; serving.FleetcastClient; print([m for m in ('tensorflow', 'ray') if m in sys.modules])"
    assert python(code).strip() == "[]", "a client needs neither TensorFlow nor Ray"


def test_public_names_are_listed_and_others_are_refused():
    assert dir(serving) == sorted(serving.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        serving.Nothing  # noqa: B018


def test_every_example_runs(smoke_store):
    results = [
        line.split()[1:] for line in python(EXAMPLES, str(smoke_store)).splitlines() if line.startswith("example ")
    ]
    assert [name for name, *_ in results] == serving.__all__
    shown = {name: int(attempted) for name, attempted, _ in results}
    assert all(shown[name] > 0 for name in ("FleetcastClient", "PredictionEngine", "PredictionRequest"))
    assert all(failed == "0" for *_, failed in results)
