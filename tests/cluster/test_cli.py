"""The command line: quick help, and one line for every mistake."""

import json
import resource
import subprocess
import sys
from importlib.metadata import version

import pytest
from processor_time import assert_fast

LINE = "error: "


def test_help_imports_no_large_library():
    heavy = ("numpy", "pandas", "pydantic", "ray", "tensorflow")
    code = f"import sys, cluster.cli; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_help_lists_every_verb(fleetcast):
    done = assert_fast(lambda: fleetcast("--help"), 2.0, children_s)
    assert done.code == 0
    for verb in ("train", "data", "models", "serve", "keys"):
        assert verb in done.out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--preset", "nope"), "preset 'nope' does not exist. Choose one of: demo"),
        (("--config", "/no/such.yaml"), "config file '/no/such.yaml' cannot be read"),
        (
            ("--set", "direction.fit.epoch=3"),
            "--set direction.fit.epoch=3: direction.fit.epoch is not a setting. Did you",
        ),
        (("--set", "run.seed=x"), "run.seed has value 'x'"),
        (("--kinds", "direction", "--set", "volatility.model=nonsense"), "expected ensemble, boosting, ewma, forest,"),
        (("--set", "run"), "--set 'run' is not of the form section.key=value"),
        (("--kinds", "price"), "run.kinds"),
        (("--bars", "/no/such.csv"), "/no/such.csv"),
        (("--preset", "smoke", "--address", "127.0.0.1:1"), "nothing answers at --address '127.0.0.1:1'"),
        (("--preset", "smoke", "--address", "nonsense"), "--address 'nonsense' is not of the form host:port"),
        (("--store", "ftp://x/y"), "ftp://x/y"),
        (("--store", ""), "store '' is empty"),
        (("--store", __file__), "is a file; expected a folder"),
        (("--symbols", ""), "--symbols '' names nothing"),
        (("--kinds", " ,"), "--kinds ' ,' names nothing"),
        (("--preset", "smoke", "--set", "split.test_end=2009-12-31"), "train_end ≤ valid_end"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(call, tmp_path, arguments, expected):
    store = () if "--store" in arguments else ("--store", str(tmp_path / "store"))
    done = call("train", *arguments, *store)
    assert done.code == 2
    lines = [line for line in done.err.splitlines() if line]
    assert lines[-1].startswith(LINE) and expected in lines[-1]
    assert "Traceback" not in done.err


@pytest.mark.slow
def test_settings_are_shown_with_type_default_and_meaning(fleetcast):
    described = fleetcast("config", "describe", "direction.horizon")
    assert described.code == 0
    for text in ("whole number > 0", "default  1", "Bars ahead that are forecast."):
        assert text in described.out
    shown = fleetcast("config", "show", "--preset", "smoke", "--set", "run.seed=3")
    assert (
        "direction.fit.epochs = 2  (whole number > 0 and ≤ 10,000, default 10)" in shown.out
        and "run.seed = 3" in shown.out
    )
    assert max(map(len, shown.out.splitlines())) <= 80
    document = json.loads(fleetcast("config", "show", "run", "--json").out)
    assert {"path", "type", "default", "meaning", "value"} == set(document["settings"][0])


@pytest.mark.slow
def test_wrong_settings_are_refused_before_anything_large_is_imported():
    code = (
        "import sys\nfrom cluster.cli import app\nfrom configs.errors import ConfigError\n"
        "for verb in ('train', 'tune', 'serve'):\n"
        "    try:\n        app([verb, '--set', 'horizon=5'], standalone_mode=False)\n"
        "    except ConfigError as error:\n        print(str(error)[:20])\n"
        "print([name for name in ('numpy', 'pandas', 'ray', 'rich.table', 'tensorflow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == 3 * ["--set horizon=5: hor"] + ["[]"], done.stdout


def test_the_version_is_printed(fleetcast):
    done = fleetcast("--version")
    assert done.code == 0 and done.out.strip() == version("fleetcast")


def test_a_store_that_cannot_be_written_is_one_line(call, tmp_path):
    blocker = tmp_path / "file"
    blocker.write_text("not a folder")
    done = call("train", "--preset", "smoke", "--store", str(blocker / "store"))
    assert done.code == 2
    assert done.err.splitlines()[-1].startswith(LINE) and "store" in done.err and "Traceback" not in done.err
