"""The README keeps up with the code: it names every verb and preset, and its commands and examples work."""

import re
import shlex
from pathlib import Path

import pandas as pd
import pytest
from typer.main import get_command

from cluster.cli import app
from configs import preset_names

README = (Path(__file__).parents[1] / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
EXAMPLES = [code for language, code in BLOCKS if language == "python"]
COMMANDS = [
    shlex.split(line.partition(" | ")[0], comments=True)[3:]
    for language, code in BLOCKS
    if language == "sh"
    for line in code.splitlines()
    if line.startswith("uv run fleetcast ")
]
QUICK = (["data", "import"], ["data", "inspect"], ["data", "list"], ["keys", "add"], ["manifests", "render"])
OF_MODELS = (["models", "list"], ["models", "show"], ["models", "prune"])
URL = "http://127.0.0.1:8000"


def examples_with(name):
    return [code for code in EXAMPLES if name in code]


def commands_of(verbs):
    """Return the commands of these verbs that need no file of the reader's."""
    return [command for command in COMMANDS if command[:2] in verbs and "--config" not in command]


def parse(command, arguments):
    """Raise if a command does not take these arguments; the command is not run."""
    context, name = None, "fleetcast"
    while True:
        context = command.make_context(name, list(arguments), parent=context)
        if not hasattr(command, "resolve_command"):
            return
        name, command, arguments = command.resolve_command(context, [*context._protected_args, *context.args])


def verbs():
    for command in app.registered_commands:
        yield command.callback.__name__
    for group in app.registered_groups:
        for command in group.typer_instance.registered_commands:
            yield f"{group.name} {command.name or command.callback.__name__}"


def run_example(code):
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})


@pytest.fixture
def prices(tmp_path, monkeypatch, make_universe):
    """A working directory with the files of prices that the README's commands read."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prices").mkdir()
    for series in make_universe(("AAPL", "MSFT"), bars=300):
        columns = {name: getattr(series, name) for name in ("open", "high", "low", "close", "volume")}
        pd.DataFrame({"date": series.dates, **columns}).to_csv(
            tmp_path / "prices" / f"{series.symbol}.csv", index=False
        )


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The working directory in which the README's training example has run."""
    (training,) = examples_with("train_multi_asset_models")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("readme"))
        run_example(training)
        yield


@pytest.fixture
def served(trained, start_server):
    """The URL of a server of the models that the training example made."""
    from configs.operation import ServeConfig
    from serving import PredictionEngine
    from serving.web.api import build_api
    from serving.web.prediction_service import EngineService

    with PredictionEngine(".fleetcast", follow=False) as engine:
        yield start_server(build_api(EngineService(engine, 512), ServeConfig()))


@pytest.mark.parametrize("verb", sorted(verbs()))
def test_every_verb_is_in_the_readme(verb):
    assert f"fleetcast {verb}" in README


@pytest.mark.parametrize("preset", preset_names())
def test_every_preset_is_in_the_readme(preset):
    assert f"`{preset}`" in README


def test_the_two_commands_are_in_the_readme():
    assert "pip install uv && uv run fleetcast train" in README
    assert "pip install uv && uv run pytest" in README


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_of_the_readme_has_valid_options(command):
    parse(get_command(app), command)


def test_a_command_with_an_unknown_option_is_noticed():
    with pytest.raises(Exception, match="No such option"):
        parse(get_command(app), ["data", "list", "--nosuch"])


def test_quick_commands_of_the_readme_run(call, prices):
    assert [command[:2] for command in commands_of(QUICK)][:3] == [
        ["data", "import"],
        ["data", "inspect"],
        ["data", "list"],
    ]
    for command in commands_of(QUICK):
        done = call(*command)
        assert done.code == 0 and (done.out or "--out" in command), (command, done.err)


@pytest.mark.slow
def test_the_examples_of_training_and_the_engine_run(trained, capsys):
    for code in examples_with("PredictionEngine("):
        run_example(code)
        assert "annualised" in capsys.readouterr().out


@pytest.mark.slow
def test_commands_on_models_of_the_readme_run(trained, call):
    assert commands_of(OF_MODELS)
    for command in commands_of(OF_MODELS):
        done = call(*command)
        assert done.code == 0 and done.out, (command, done.err)


@pytest.mark.slow
def test_the_example_of_the_client_runs(served, capsys):
    (code,) = examples_with("FleetcastClient(")
    assert URL in code
    run_example(code.replace(URL, served))
    fitted, other = capsys.readouterr().out.splitlines()
    assert fitted.startswith("AAPL ") and 0 < float(fitted.split()[-1]) < 2
    assert other.startswith("MSFT ") and "MSFT" in other[5:], "the training example makes no model of it"


@pytest.mark.slow
def test_the_example_of_tuning_runs(trained, capsys):
    (code,) = examples_with("HyperparameterOptimizer(")
    assert "tune.trials=3" in code
    run_example(code.replace("tune.trials=3", "tune.trials=1"))
    assert "'volatility." in capsys.readouterr().out


def test_every_example_of_the_readme_is_run_by_a_test():
    run = ("train_multi_asset_models", "PredictionEngine(", "FleetcastClient(", "HyperparameterOptimizer(")
    assert EXAMPLES and all(any(name in code for name in run) for code in EXAMPLES)
