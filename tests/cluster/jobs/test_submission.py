"""Commands as jobs of a real cluster: shipped, followed, attached to and stopped; and what is never shipped."""

import json
import secrets
import threading
from pathlib import Path

import pytest
from sqlalchemy import select
from waiting import BOUND_S

from cluster.jobs.packaging import PACKAGES, packed
from configs.errors import ConfigError
from features.store.store import Store
from serving.journal import open_journal
from serving.journal.schema import retrainings
from training import ModelManager

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
SMALL = ("--preset", "smoke", "--symbols", "AAPL,IBM", "--kinds", "direction", "--set", "run.workers=1")


@pytest.fixture(scope="module")
def head(ray_head, tmp_path_factory):
    """The job server of a cluster of one node, which asks for the token in the environment."""
    with ray_head(tmp_path_factory.mktemp("head") / "log", {}) as url:
        yield url


@pytest.fixture(scope="module")
def run(head, shell):
    """Run a command with the address and the token of that cluster."""
    with shell() as fleetcast:
        yield lambda *arguments: fleetcast(*arguments, "--address", head)


def test_a_wrong_token_is_one_line(head, shell, monkeypatch):
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    with shell() as fleetcast:
        for arguments in (("jobs", "list"), ("submit", "train", *SMALL)):
            done = fleetcast(*arguments, "--address", head)
            assert done.code == 2 and "RAY_AUTH_TOKEN" in done.err and "Traceback" not in done.err, done.err


@pytest.fixture
def submit(run, tmp_path):
    return lambda verb, *arguments: run("submit", verb, *arguments, "--store", str(tmp_path / "store"))


def test_a_job_is_followed_to_its_end_and_what_repeats_it_fits_nothing(submit, run, tiny_run, tmp_path):
    """The same submission, and a retraining on the same bars, which is journaled."""
    options = ("--config", str(tiny_run.settings), *SMALL[4:])
    done = submit("train", *options)
    assert done.code == 0, done.out + done.err
    assert "direction: untouched test period" in done.out and "started on" in done.err
    manager = ModelManager(Store(tmp_path / "store"))
    [version] = manager.versions("direction")
    blocks = {path: path.stat().st_mtime_ns for path in (tmp_path / "store" / "runs").rglob("*.safetensors")}
    again = submit("train", *options[2:], *options[:2])  # in another order
    assert again.code == 0 and [line for line in again.err.splitlines() if line.startswith("job ")] == [
        line for line in done.err.splitlines() if line.startswith("job ")
    ]
    assert {path: path.stat().st_mtime_ns for path in blocks} == blocks
    assert manager.versions("direction")[0] == version
    [job] = json.loads(run("jobs", "list", "--json").out)["jobs"]
    assert job["status"] == "SUCCEEDED" and job["command"].startswith("train ")
    done = submit("retrain", "--force", "--kinds", "direction")
    assert done.code == 0 and "it was asked for" in done.out, done.out + done.err
    assert {path: path.stat().st_mtime_ns for path in blocks} == blocks
    with open_journal(store=tmp_path / "store", create=False) as journal, journal.connect() as connection:
        [training] = connection.execute(select(retrainings)).all()
    assert (training.kind, training.version, training.error) == ("direction", version, None)


def test_a_running_job_is_attached_to_and_can_be_stopped(fleetcast, start, run, head, tiny_run, tmp_path):
    arguments = ("submit", "tune", "--config", str(tiny_run.settings), "--trials", "1000", "--no-follow")
    arguments += ("--store", str(tmp_path / "store"), "--set", "run.workers=1")
    started = []
    threads = [  # at the same time
        threading.Thread(target=lambda: started.append(fleetcast(*arguments, "--address", head))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    started.append(run(*arguments))
    assert [done.code for done in started] == [0, 0, 0], started
    [name] = {done.out.splitlines()[-1] for done in started}
    assert "is running already" in started[-1].err
    follower = start("jobs", "logs", name, "--follow", "--address", head)
    assert any(": trial " in line for line in follower.stdout), follower.stderr.read()
    stopped = run("jobs", "stop", name)
    assert stopped.code == 0 and "has ended" in stopped.out
    [job] = json.loads(run("jobs", "status", name, "--json").out)["jobs"]
    assert job["status"] == "STOPPED"
    follower.communicate(timeout=BOUND_S)
    assert follower.returncode == 130
    assert "had ended before" in run("jobs", "stop", name).out


def test_a_configuration_file_is_shipped_and_the_exit_code_is_the_jobs(submit, tmp_path):
    (tmp_path / "own.yaml").write_text("direction: {horizon: 0}")
    done = submit("train", "--config", str(tmp_path / "own.yaml"))
    assert done.code == 2 and "direction.horizon" in done.err  # found before the submission
    (tmp_path / "own.yaml").write_text("data: {min_bars: 1000000}")
    done = submit("train", *SMALL, "--config", str(tmp_path / "own.yaml"))
    assert done.code == 2 and "at least 1000000 are needed" in done.out
    assert "every node of the cluster must reach" in done.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("submit", "backtests", "--address", "http://127.0.0.1:1"), "train or tune or retrain"),
        (("submit", "retrain", "--gpus", "--address", "http://127.0.0.1:1"), "champion's settings"),
        (("submit", "retrain", "--nosuch", "--address", "http://127.0.0.1:1"), "--nosuch"),
        (("submit", "train", "--nosuch", "--address", "http://127.0.0.1:1"), "--nosuch"),
        (("submit", "train", "--set", "run.seed=x", "--address", "http://127.0.0.1:1"), "run.seed"),
        (("submit", "train", "--address", "127.0.0.1:8265"), "http://head:8265"),
        (("jobs", "list", "--address", "http://127.0.0.1:1"), "does not answer"),
        (("submit", "tune", "--storage", "postgresql://me:secret@host/db"), "FLEETCAST_STUDIES"),
        (("submit", "train", "--working-dir", "/", "--address", "http://127.0.0.1:1"), "--image-has-code"),
    ],
)
def test_mistakes_are_one_line_and_are_found_before_the_submission(call, arguments, says):
    done = call(*arguments)
    assert done.code == 2 and says in done.err and "Traceback" not in done.err, done.err


def test_the_error_of_a_missing_job_names_it(run):
    done = run("jobs", "status", "fleetcast-train-000000000000")
    assert done.code == 2 and "no job" in done.err
    assert run("jobs", "stop", "../x").code == 2


def test_only_code_is_shipped(tmp_path):
    checkout = tmp_path / "checkout"
    for name in PACKAGES:
        (checkout / name).mkdir(parents=True)
        (checkout / name / "__init__.py").write_text("")
    for name in ("keys", ".env", "bars.parquet", ".hidden.py"):
        (checkout / "serving" / name).write_text("secret")
    (checkout / "serving" / "__pycache__").mkdir()
    (checkout / "serving" / "__pycache__" / "x.py").write_text("secret")
    (checkout / "serving" / "link.py").symlink_to("/etc/passwd")
    (checkout / ".fleetcast").mkdir()
    with packed(str(checkout), True, None) as package:
        names = {str(path.relative_to(package.folder)) for path in Path(package.folder).rglob("*") if path.is_file()}
        assert names == {f"{name}/__init__.py" for name in PACKAGES}
    assert not Path(package.folder).exists()
    with packed(None, False, None) as package:
        assert package.files == 0
    with packed(None, True, None) as package:
        assert 100 < package.files < 1000 and package.size < 4 * 2**20
    (checkout / "serving" / "big.py").write_bytes(b"#" * 6 * 2**20)
    with pytest.raises(ConfigError, match=r"serving/big\.py"), packed(str(checkout), True, None):
        pass
