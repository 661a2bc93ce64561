"""`fleetcast tune` as users run it: a sweep on Ray, killed and gone on with, and models trained with what it found."""

import json
import os
import signal
import time

import optuna
import pytest

from features.store import Store
from training import ModelManager

SMALL = ("--preset", "smoke", "--symbols", "AAPL,IBM,MSFT", "--set", "tune.folds=2", "--set", "tune.finalists=2")


@pytest.fixture
def tune(fleetcast, tmp_path):
    return lambda *arguments: fleetcast("tune", *SMALL, "--store", str(tmp_path / "store"), *arguments)


def states(tmp_path, name):
    study = optuna.load_study(study_name=name, storage=f"sqlite:///{tmp_path}/store/studies/studies.db")
    return study.get_trials(deepcopy=False)


def test_a_sweep_that_is_killed_goes_on_and_models_are_trained_with_what_it_found(start, fleetcast, tmp_path):
    store = ("--store", str(tmp_path / "store"))
    arguments = ("tune", *SMALL, *store, "--trials", "4", "--study", "first")
    process = start(*arguments)
    for line in process.stdout:
        if line.startswith("1/4"):
            break
    else:
        pytest.fail(process.stderr.read())
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    found = {one.number: (one.state, one.params, one.values) for one in states(tmp_path, "first")}
    finished = {number: one for number, one in found.items() if one[0].is_finished()}
    assert len(finished) >= 1

    done = fleetcast(*arguments)
    assert done.code == 2 and "--resume" in done.err

    process = start(*arguments, "--resume")
    for line in process.stdout:
        if ": trial " in line:
            break
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "--resume" in err and "Traceback" not in err, err
    assert time.monotonic() - began < 30

    done = fleetcast(*arguments, "--resume", "--json")
    assert done.code == 0, done.err
    told = json.loads(done.out)
    after = {one.number: (one.state, one.params, one.values) for one in states(tmp_path, "first")}
    assert all(after[number] == one for number, one in finished.items())
    assert sum(told["trials"].values()) == 4
    assert told["chosen"] in ("winner", "default") and told["baseline"] > 0
    assert os.path.getsize(told["report"]) > 100_000

    trained = fleetcast("train", *SMALL[:4], *store, "--kinds", "direction", "--study", "first", "--json")
    assert trained.code == 0, trained.err
    manager = ModelManager(Store(tmp_path / "store"))
    manifest = manager.manifest("direction", manager.versions("direction")[-1])
    wanted = str(told["trial"]) if told["chosen"] == "winner" else "default"
    assert manifest.config["run"]["studies"] == [f"first/{wanted}"]
    network = manifest.config["direction"]["network"]
    assert network["window"] == told["parameters"]["direction.network.window"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--kind", "volume"), "direction or volatility"),
        (("--time-budget", "soon"), "30m"),
        (("--trials", "0"), "tune.trials"),
        (("--set", "tune.space={direction.nosuch: {values: [1]}}"), "direction.nosuch"),
        (("--storage", "sqlite:////nosuch/place.db"), "--storage"),
        (("--resume",), "--study"),
        (("--address", "127.0.0.1:1"), "nothing answers"),
    ],
)
def test_mistakes_are_one_line(tune, arguments, says):
    done = tune(*arguments)
    assert done.code == 2 and says in done.err and "Traceback" not in done.err, done.err


def test_studies_that_are_not_there_are_named(fleetcast, tmp_path):
    done = fleetcast("train", "--preset", "smoke", "--store", str(tmp_path), "--study", "nosuch")
    assert done.code == 2 and "'nosuch'" in done.err and "fleetcast tune" in done.err
