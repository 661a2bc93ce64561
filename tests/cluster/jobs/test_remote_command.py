"""The command of a job: what it becomes on the cluster, and what is refused before it is submitted."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.jobs.remote_command import parsed, remote_command
from cluster.jobs.submission import shell_command
from configs.errors import ConfigError

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


@pytest.mark.slow
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
