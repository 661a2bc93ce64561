"""Commands as jobs of a real cluster: shipped, followed, attached to and stopped; and what is never shipped."""

import json
import secrets
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import select

from cluster.jobs.packaging import PACKAGES, packed
from cluster.jobs.remote_command import parsed, remote_command
from cluster.jobs.submission import shell_command
from configs.errors import ConfigError
from features.store.store import Store
from serving.journal import open_journal
from serving.journal.schema import retrainings
from training import ModelManager

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


@pytest.mark.slow
def test_a_wrong_token_is_one_line(head, shell, monkeypatch):
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    with shell() as fleetcast:
        for arguments in (("jobs", "list"), ("submit", "train", *SMALL)):
            done = fleetcast(*arguments, "--address", head)
            assert done.code == 2 and "RAY_AUTH_TOKEN" in done.err and "Traceback" not in done.err, done.err


@pytest.fixture
def submit(run, tmp_path):
    return lambda verb, *arguments: run("submit", verb, *arguments, "--store", str(tmp_path / "store"))


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_running_job_is_attached_to_and_can_be_stopped(fleetcast, start, run, head, tiny_run, tmp_path):
    arguments = ("submit", "tune", "--config", str(tiny_run.settings), "--trials", "1000", "--no-follow")
    arguments += ("--store", str(tmp_path / "store"))
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
    follower.communicate(timeout=300)
    assert follower.returncode == 130
    assert "had ended before" in run("jobs", "stop", name).out


@pytest.mark.slow
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


@pytest.mark.slow
def test_the_error_of_a_missing_job_names_it(run):
    done = run("jobs", "status", "fleetcast-train-000000000000")
    assert done.code == 2 and "no job" in done.err
    assert run("jobs", "stop", "../x").code == 2


HOSTILE = [
    "a'b",
    'a"b',
    "a\nb",
    "a; exit 3",
    "$(exit 3)",
    "`exit 3`",
    "../../x",
    "ünï",
    "x" * 10_240,
    "-x",
    "--",
    "~",
    "*",
]


def test_a_shell_passes_hostile_arguments_unchanged():
    shown = "import json, sys; print(json.dumps(sys.argv[1:]))"
    text = shell_command([sys.executable, "-c", shown, *HOSTILE])
    assert json.loads(subprocess.run(text, shell=True, check=True, capture_output=True).stdout) == HOSTILE


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_reach_the_command_of_the_job(name):
    given = ["--preset", "smoke", f"--store={name}", f"--symbols={name}", f"--study={name}", f"--bars=/{name}"]
    shipped = remote_command("tune", given).arguments
    values, again = parsed("tune", given)[1], parsed("tune", shipped)[1]
    assert {key: again[key] for key in ("study", "symbols", "bars")} == {
        key: values[key] for key in ("study", "symbols", "bars")
    }
    assert again["store"] == str(Path(name).expanduser().absolute())


@pytest.mark.parametrize(("arguments", "says"), [(["x" * 200_000], "--config FILE"), (["a\udcff"], "not UTF-8")])
def test_a_command_that_no_shell_takes_is_refused(arguments, says):
    with pytest.raises(ConfigError, match=says):
        shell_command(["python", *arguments])


def test_commands_are_equal_whatever_the_order_of_their_options():
    one = remote_command("train", ["--kinds", "direction", "--preset", "smoke", "--set", "run.seed=1"])
    assert remote_command("train", ["--set", "run.seed=1", "--preset", "smoke", "--kinds", "direction"]) == one
    assert remote_command("train", ["--set", "run.seed=2", "--preset", "smoke", "--kinds", "direction"]) != one
    assert "run.use_gpu=true" in remote_command("train", ["--preset", "smoke"], gpus=True).arguments
    sweep = remote_command("tune", ["--preset", "smoke", "--trials", "5"]).arguments
    assert "--begin-or-resume" in sweep and sweep[sweep.index("--study") + 1].startswith("direction-")
    assert remote_command("tune", ["--preset", "smoke", "--trials", "6"]).arguments != sweep


def test_a_sweeps_name_follows_from_the_values_of_its_configuration(tmp_path):
    names = []
    for text in ("run: {seed: 1}", "run: {seed: 2}", "run:   {seed: 1}"):
        (tmp_path / "own.yaml").write_text(text)
        arguments = remote_command("tune", ["--preset", "smoke", "--config", str(tmp_path / "own.yaml")]).arguments
        names.append(arguments[arguments.index("--study") + 1])
    assert names[0] == names[2] != names[1]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("tune", "--kind", "volume"), "direction or volatility"),
        (("tune", "--time-budget", "soon"), "30m"),
        (("tune", "--set", "tune.space={run.seed: {values: [1]}}"), "run.seed"),
        (("tune", "--storage", "sqlite:///studies.db"), "absolute"),
        (("tune", "--storage", "postgresql://host/db?user=me&password=secret"), "environment"),
        (("train", "--store", "s3://KEY:SECRET@bucket/x"), "environment"),
        (("train", "--set", "data.bars=prices.csv"), "absolute"),
        (("retrain", "--due", "--force"), "exclude each other"),
        (("retrain", "--kinds", "price"), "is not a kind of model"),
        (("retrain", "--set", "retrain.alpha=2"), "retrain.alpha"),
        (("retrain", "--database", "sqlite:///journal.db"), "absolute"),
        (("retrain", "--set", "journal.url=sqlite:///journal.db"), "absolute"),
        (("retrain", "--database", "postgresql://me:secret@host/db"), "FLEETCAST_DATABASE"),
    ],
)
def test_commands_that_cannot_run_on_a_cluster_are_refused(arguments, says):
    with pytest.raises(ConfigError, match=says):
        remote_command(arguments[0], arguments[1:])


@pytest.mark.parametrize(
    ("variable", "given"),
    [("FLEETCAST_STUDIES", ("tune", "--preset", "smoke")), ("FLEETCAST_DATABASE", ("retrain", "--force"))],
)
def test_passwords_in_the_environment_are_not_submitted(monkeypatch, variable, given):
    monkeypatch.setenv(variable, "postgresql://me:secret@host/db")
    command = remote_command(given[0], given[1:])
    assert "secret" not in " ".join(command.arguments) and any(variable in note for note in command.notes)


def test_the_journal_of_a_retraining_is_named_or_that_of_the_store():
    named = ["--database", "postgresql://me@host/db", "--bot", "desk", "--kinds", "direction", "--store", "s3://b/s"]
    command = remote_command("retrain", named)
    values = parsed("retrain", command.arguments)[1]
    assert {key: values[key] for key in ("database", "bot", "kinds", "store")} == dict(
        zip(("database", "bot", "kinds", "store"), named[1::2], strict=True)
    )
    assert command.notes == ()
    assert any("SQLite" in note for note in remote_command("retrain", ["--store", "s3://b/s"]).notes)


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
