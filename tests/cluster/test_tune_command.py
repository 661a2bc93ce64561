"""``fleetcast tune`` on Ray: a sweep that is killed, interrupted and resumed; mistakes."""

import json
import os
import signal

import optuna
import pytest
from optuna.trial import TrialState
from waiting import BOUND_S

pytestmark = pytest.mark.slow

SMALL = ("--preset", "smoke", "--symbols", "AAPL,IBM")
SMALLEST = ("--set", "tune.folds=1", "--set", "tune.finalists=1", "--set", "run.workers=1")


@pytest.fixture
def tune(call, tmp_path):
    return lambda *arguments: call("tune", *SMALL, "--store", str(tmp_path / "store"), *arguments)


def trials(tmp_path, name):
    study = optuna.load_study(study_name=name, storage=f"sqlite:///{tmp_path}/store/studies/studies.db")
    return study.get_trials(deepcopy=False)


def test_a_sweep_that_is_killed_and_terminated_is_resumed_and_ends_with_a_verdict(
    start, call, ray_cluster, tiny_run, tmp_path
):
    import ray

    store = ("--config", str(tiny_run.settings), "--store", str(tmp_path / "store"))
    arguments = ("tune", *store, *SMALLEST, "--trials", "3", "--study", "first")
    process = start(*arguments, "--address", ray.get_runtime_context().gcs_address)
    for line in process.stdout:
        if line.startswith("1/3"):
            break
    else:
        pytest.fail(process.stderr.read())
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    found = {trial.number: (trial.state, trial.params, trial.values) for trial in trials(tmp_path, "first")}
    finished = {number: facts for number, facts in found.items() if facts[0].is_finished()}
    assert len(finished) >= 1

    done = call(*arguments)
    assert done.code == 2 and "--resume" in done.err

    process = start(*arguments, "--resume")
    assert "finished before" in process.stdout.readline()
    process.send_signal(signal.SIGTERM)  # Ray has a handler of its own for it
    _, err = process.communicate(timeout=BOUND_S)
    assert process.returncode == 128 + signal.SIGTERM and "--resume" in err and "Traceback" not in err, err
    ended = [trial for trial in trials(tmp_path, "first") if trial.state in (TrialState.COMPLETE, TrialState.PRUNED)]
    assert len(ended) < 3, "it ended without doing the rest"

    done = call(*arguments, "--resume", "--json")
    assert done.code == 0, done.err
    document = json.loads(done.out)
    after = {trial.number: (trial.state, trial.params, trial.values) for trial in trials(tmp_path, "first")}
    assert all(after[number] == facts for number, facts in finished.items())
    assert sum(document["trials"].values()) == 3
    assert document["chosen"] in ("winner", "default") and document["baseline"] > 0
    assert os.path.getsize(document["report"]) > 100_000

    done = call("train", *store, "--kinds", "volatility", "--study", "first")
    assert done.code == 2 and "'first' is of direction models" in done.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--kind", "volume"), "direction or volatility"),
        (("--time-budget", "soon"), "30m"),
        (("--trials", "0"), "tune.trials"),
        (("--set", "tune.space={direction.nosuch: {values: [1]}}"), "direction.nosuch"),
        (("--storage", "sqlite:////nosuch/place.db"), "--storage"),
        (("--storage", "postgresql://127.0.0.1:9/studies"), "cannot be opened"),
        (("--storage", "postgresql+psycopg2://127.0.0.1:9/studies"), "install psycopg2-binary"),
        (("--storage", "mysql://127.0.0.1:9/studies"), "install mysqlclient (or PyMySQL, with mysql+pymysql://…)"),
        (("--resume",), "--study"),
        (("--address", "http://127.0.0.1:8265"), "job server"),
        (("--address", "127.0.0.1:1"), "nothing answers"),
    ],
)
def test_mistakes_are_one_line(tune, arguments, says):
    done = tune(*arguments)
    assert done.code == 2 and says in done.err and "Traceback" not in done.err, done.err


def test_the_error_of_a_missing_study_names_it(call, tmp_path):
    done = call("train", "--preset", "smoke", "--store", str(tmp_path), "--study", "nosuch")
    assert done.code == 2 and "'nosuch'" in done.err and "fleetcast tune" in done.err
