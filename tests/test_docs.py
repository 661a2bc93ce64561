"""The READMEs keep up with the code: they name every verb and preset, and their commands and examples work."""

import re
import shlex
import shutil
from functools import cache
from pathlib import Path

import pandas as pd
import pytest
from typer.main import get_command

from cluster.cli import app
from configs import preset_names
from features.sources import embedded

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
FOLDERS = [path for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")]
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for path in (ROOT / "README.md", *sorted(page for folder in FOLDERS for page in folder.rglob("README.md")))
}
BLOCKS = [
    (page, language, code)
    for page, text in PAGES.items()
    for language, code in re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
]
WITH_OWN_TEST = "training/strategy/README.md"
EXAMPLES = {
    f"{page} {i}": code
    for i, (page, language, code) in enumerate(BLOCKS)
    if language == "python" and page != WITH_OWN_TEST
}
COMMANDS = [
    shlex.split(line.partition(" | ")[0], comments=True)[3:]
    for _, language, code in BLOCKS
    if language == "sh"
    for line in code.splitlines()
    if line.startswith("uv run fleetcast ")
]
QUICK = (
    ["data", "import"],
    ["data", "inspect"],
    ["data", "list"],
    ["keys", "add"],
    ["manifests", "render"],
    ["config", "show"],
    ["config", "describe"],
)
OF_MODELS = (["models", "list"], ["models", "show"], ["models", "prune"])
URL = "http://127.0.0.1:8000"
CLIENT, BOT = "FleetcastClient(", "MLPredictionBot("
MOST_WORDS = 1_200

parser = cache(get_command)


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
        yield command.name or command.callback.__name__
    for group in app.registered_groups:
        for command in group.typer_instance.registered_commands:
            yield f"{group.name} {command.name or command.callback.__name__}"


def run_example(code):
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})


@pytest.fixture
def prices(tmp_path, monkeypatch, make_universe):
    """A working directory with the files of prices that the READMEs' commands read."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prices").mkdir()
    for series in make_universe(("AAPL", "MSFT"), bars=300):
        columns = {name: getattr(series, name) for name in ("open", "high", "low", "close", "volume")}
        pd.DataFrame({"date": series.dates, **columns}).to_csv(
            tmp_path / "prices" / f"{series.symbol}.csv", index=False
        )


@pytest.fixture(scope="module")
def trained(smoke_store, tmp_path_factory):
    """A working directory whose store has models of two symbols."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("readme"))
        shutil.copytree(smoke_store, ".fleetcast")
        yield


@pytest.fixture
def served(trained, start_server):
    """The URL of a server of these models."""
    from configs.operation import ServeConfig
    from serving import PredictionEngine
    from serving.web.api import build_api
    from serving.web.prediction_service import EngineService

    with PredictionEngine(".fleetcast", follow=False) as engine:
        yield start_server(build_api(EngineService(engine, 512), ServeConfig()))


@pytest.mark.parametrize("verb", sorted(verbs()))
def test_every_verb_is_in_a_readme(verb):
    assert any(f"fleetcast {verb}" in text for text in PAGES.values())


@pytest.mark.parametrize("preset", preset_names())
def test_every_preset_is_in_the_readme(preset):
    assert f"`{preset}`" in README


def test_the_readme_is_short_and_has_the_two_commands():
    assert len(README.split()) <= MOST_WORDS
    assert "pip install uv && uv run fleetcast train" in README
    assert "pip install uv && uv run pytest" in README


def test_every_test_that_a_page_names_exists():
    named = {name for text in PAGES.values() for name in re.findall(r"`(test_\w+(?:\.py)?)`", text)}
    files = list((ROOT / "tests").rglob("*.py"))
    existing = {path.name for path in files}
    existing |= {name for path in files for name in re.findall(r"def (test_\w+)", path.read_text())}
    assert len(named) > 40 and not named - existing


@pytest.mark.parametrize("page", PAGES)
def test_links_between_the_pages_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", PAGES[page]):
        path, _, anchor = target.partition("#")
        found = (ROOT / page).parent / path if path else ROOT / page
        assert found.exists(), f"{page}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", found.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}, target


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_valid_options(command):
    parse(parser(app), command)


def test_a_command_with_an_unknown_option_is_noticed():
    with pytest.raises(Exception, match="No such option"):
        parse(parser(app), ["data", "list", "--nosuch"])


@pytest.mark.slow
def test_quick_commands_run(call, prices):
    found = commands_of(QUICK)
    assert {tuple(command[:2]) for command in found} == {tuple(verb) for verb in QUICK}
    for command in found:
        files = [str(path) for path in Path("prices").glob("*.csv")]
        shell = [one for word in command for one in (files if word == "prices/*.csv" else [word])]
        done = call(*shell)
        assert done.code == 0 and (done.out or "--out" in command), (command, done.err)


@pytest.mark.slow
def test_commands_on_models_run(trained, call):
    assert {tuple(command[:2]) for command in commands_of(OF_MODELS)} == {tuple(verb) for verb in OF_MODELS}
    for command in [*commands_of(OF_MODELS), ["predict"]]:
        done = call(*command)
        assert done.code == 0 and done.out, (command, done.err)


@pytest.fixture
def newest_bars(monkeypatch):
    """Return a function that lets examples read so many bars of each embedded series, which have up to 5,000."""
    between = embedded.between
    return lambda count: monkeypatch.setattr(embedded, "between", lambda *given: between(*given).last(count))


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, code in EXAMPLES.items() if CLIENT not in code])
def test_the_examples_run(trained, newest_bars, capsys, name):
    newest_bars(700 if "PriceDirectionPredictor" in EXAMPLES[name] else 1_300)
    run_example(EXAMPLES[name])
    # A bot makes no step on bars that ended years ago, as those of the demo did.
    assert bool(capsys.readouterr().out.strip()) == (BOT not in EXAMPLES[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, code in EXAMPLES.items() if CLIENT in code])
def test_the_examples_of_the_client_run(served, capsys, name):
    assert URL in EXAMPLES[name]
    run_example(EXAMPLES[name].replace(URL, served))
    fitted, other = capsys.readouterr().out.splitlines()
    assert fitted.startswith("AAPL ") and 0 < float(fitted.split()[-1]) < 2
    assert other.startswith("MSFT ") and "MSFT" in other[5:], "there is no model of it"
