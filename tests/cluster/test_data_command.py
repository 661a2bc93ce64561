import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from cluster.commands.data import app
from configs.errors import ConfigError, DataError, StoreError
from features.store.lake_files import read_as
from features.store.store import Store

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "bars").mkdir()
    dates = pd.bdate_range("2023-12-27", "2024-01-31")
    holidays = pd.to_datetime(["2024-01-01", "2024-01-15"])
    close = 10 + np.arange(len(dates))
    frame = pd.DataFrame(
        {"Date": dates, "Open": close, "High": close + 1, "Low": close - 1, "Close": close, "Volume": 5}
    )
    frame = frame[~frame["Date"].isin([*holidays, pd.Timestamp("2024-01-10")])].astype({"Close": float})
    frame.to_csv(tmp_path / "bars" / "AAPL.csv", index=False)
    frame.loc[frame.index[3], "Close"] = -1.0
    frame.to_csv(tmp_path / "bars" / "^GSPC [old].csv", index=False)
    return tmp_path


def run(*arguments, **options) -> str:
    result = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False, **options)
    assert result.exit_code == 0, result.output
    return result.output


def test_import_list_and_inspect_as_json(folder):
    store = ("--store", folder / "store", "--json")
    first = json.loads(run("import", folder / "bars", *store))
    again = json.loads(run("import", folder / "bars", *store))
    assert [(item["added"], item["held"]) for item in first["symbols"]] == [(23, 23), (22, 22)]
    assert [item["added"] for item in again["symbols"]] == [0, 0]
    assert first["quarantined"] == {"non_positive_price": 1} == again["quarantined"]
    listed = json.loads(run("list", *store))["symbols"]
    assert [(item["symbol"], item["rows"]) for item in listed] == [("AAPL", 23), ("^GSPC [old]", 22)]
    for source in ((), (folder / "bars",)):
        seen = json.loads(run("inspect", *source, *store))
        apple, index = seen["symbols"]
        assert apple["calendar"] == "XNYS" and apple["gaps"] == ["2024-01-10"] and apple["quarantined"] == 0
        assert (apple["first"], apple["last"]) == ("2023-12-27", "2024-01-31")
        assert len(index["gaps"]) == 2 and index["quarantined"] == 1
        assert seen["quarantined"] == {"non_positive_price": 1}
    (apple,) = json.loads(run("inspect", "AAPL", *store))["symbols"]
    assert (apple["symbol"], apple["rows"]) == ("AAPL", 23), "a symbol of the lake is read from there"


def test_tables_for_people_show_names_as_they_are(folder):
    environment = {"FLEETCAST_STORE": str(folder / "elsewhere"), "COLUMNS": "160"}
    (folder / "elsewhere").mkdir()
    assert "The lake has no bars" in run("list", env=environment)
    shown = run("import", folder / "bars", env=environment)
    assert "^GSPC [old]" in shown and "non_positive_price" in shown and "45 bars added" in shown
    assert (folder / "elsewhere" / "lake").is_dir()
    assert "XNYS" in run("inspect", env=environment)
    assert "2 symbols, 45 bars" in run("list", env=environment)


def test_files_that_a_shell_expands_from_a_glob_are_one_import(folder):
    paths = sorted((folder / "bars").iterdir())
    imported = json.loads(run("import", *paths, paths[0], "--store", folder / "s", "--json"))
    assert [item["symbol"] for item in imported["symbols"]] == ["AAPL", "^GSPC [old]"]
    assert len(json.loads(run("inspect", *paths, "--json"))["symbols"]) == 2


def test_symbols_are_renamed_and_removed(folder):
    store = ("--store", folder / "s")
    run("import", folder / "bars", *store)
    assert run("rename", "^GSPC [old]", "SPX", *store) == "renamed ^GSPC [old] to SPX\n"
    assert json.loads(run("remove", "AAPL", "AAPL", *store, "--json")) == {"removed": ["AAPL"]}
    [left] = json.loads(run("list", *store, "--json"))["symbols"]
    assert (left["symbol"], left["rows"]) == ("SPX", 22)
    assert json.loads(run("inspect", *store, "--json"))["quarantined"] == {"non_positive_price": 1}


def test_a_file_takes_the_given_name(folder):
    arguments = ("import", folder / "bars" / "AAPL.csv", "--symbol", "apple", "--store", folder / "s", "--json")
    assert json.loads(run(*arguments))["symbols"][0]["symbol"] == "apple"


def test_fetch_from_a_source_reports_what_is_missing(folder):
    arguments = ("--symbols", "IBM, NOSUCH", "--start", "2012-01-03", "--end", "2012-01-10", "--source", "embedded")
    fetched = json.loads(run("fetch", *arguments, "--store", folder / "s", "--json"))
    assert [(item["symbol"], item["added"]) for item in fetched["symbols"]] == [("IBM", 6)]
    assert list(fetched["missing"]) == ["NOSUCH"]


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        (("import", "nowhere.csv"), DataError, "does not exist"),
        (("inspect",), DataError, "lake .* is empty"),
        (("inspect", "nowhere.csv"), DataError, "neither an existing path"),
        (("fetch", "--symbols", "NOSUCH", "--start", "2012-01-03", "--source", "embedded"), DataError, "nothing was"),
        (
            ("fetch", "--symbols", "A", "--start", "2012-01-03", "--source", "bloomberg"),
            ConfigError,
            "expected one of yahoo, alpaca",
        ),
        (("list", "--store", "gopher://x"), StoreError, "cannot be opened"),
        (("list", "--store", "nosuch"), StoreError, "there is no store at 'nosuch'"),
        (("remove", "AAPL"), DataError, "is not in the lake"),
        (("rename", "AAPL", "IBM"), DataError, "is not in the lake"),
    ],
)
def test_errors_of_a_user_are_fleetcast_errors(arguments, kind, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(kind, match=words) as caught:
        CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert "\n" not in str(caught.value)


def test_a_store_that_cannot_be_written(folder):
    (folder / "file.txt").write_text("")
    with pytest.raises(StoreError, match="--store"):
        run("import", folder / "bars", "--store", folder / "file.txt" / "x")


def test_the_command_is_light_to_import():
    code = "import sys, cluster.commands.data; print('pandas' in sys.modules or 'pyarrow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_import_says_how_a_file_was_read_and_takes_what_it_cannot_decide(tmp_path):
    days = pd.bdate_range("2024-01-02", periods=40).strftime("%d/%m/%Y")
    rows = [f"{day};12,{i + 100};1.{i + 100}" for i, day in enumerate(days)]
    (tmp_path / "FUND.csv").write_text("\n".join(["Tag;Preis;Menge", *rows]) + "\n")
    path, store = tmp_path / "FUND.csv", ("--store", tmp_path / "store")
    with pytest.raises(DataError, match="name them: --columns close=NAME"):
        run("import", path, *store)
    options = ("--columns", "date=Tag,close=Preis,volume=Menge")
    preview = run("import", path, *store, *options, "--dry-run", env={"COLUMNS": "160"})
    assert "12.1" in preview and "1,100" in preview and "nothing was imported" in preview
    assert "FUND: 40 bars, 2024-01-02 to 2024-02-26" in preview
    assert not (tmp_path / "store").exists()
    document = json.loads(run("import", path, *store, *options, "--json"))
    assert document["read_as"] == [
        "columns: date from 'Tag', close from 'Preis', volume from 'Menge'",
        "decimals: comma",
        "no open, high and low: the close stands for them",
    ]
    assert list(read_as(Store(tmp_path / "store"), "FUND")) == document["read_as"]
    seen = json.loads(run("inspect", path, *options, "--decimal", ".", "--json"))
    assert seen["symbols"][0]["rows"] == 40 and "decimals: comma" not in seen["read_as"]
    for wrong in (("--columns", "datum=Tag"), ("--columns", "date"), ("--decimal", ";"), ("--period", "daily")):
        with pytest.raises(ConfigError, match=rf"{wrong[0]} has"):
            run("import", path, *store, *wrong)
