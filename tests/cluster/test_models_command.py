import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner, Result
from waiting import BOUND_S

from cluster.commands.models import app
from cluster.doctor import _models
from configs.errors import FleetcastError
from training.registry.blocks import Block, write_block
from training.registry.layout import manifest_path
from training.registry.manager import ModelManager
from training.registry.trials import Trial, TrialLedger

METRICS = {
    "direction": {
        "rows": 6.0,
        "log_loss": 1.0801,
        "log_loss_se": 0.0012,
        "log_loss_prior": 1.0807,
        "log_loss_prior_se": 0.0011,
        "log_loss_vs_prior": -0.0006,
        "log_loss_vs_prior_se": 0.0004,
        "log_loss_logistic": 1.0912,
        "log_loss_vs_logistic": -0.0111,
        "ece": 0.01,
        "ece_classwise": 0.02,
        "mcc": None,
    },
    "volatility": {"qlike": 0.3021, "r2": 0.38},
}


def release(manager: ModelManager, kind: str, run: str, **config: object) -> str:
    symbols = ("AAPL", "[red]X", "^GSPC")
    dates = np.tile(np.array(["2020-01-01", "2020-01-02"], "M8[ns]"), 3)
    loss = np.repeat(np.array([0.9, 1.3, 1.1], np.float32), 2)
    test = pa.table(
        {"symbol": np.repeat(symbols, 2), "date": dates, "loss": loss, "loss_prior": np.ones(6, np.float32)}
    )
    write_block(manager.store, f"runs/{run}/{kind}/b", Block(kind, symbols, {"w": np.zeros(3)}, {}, {}, test))
    extra = {
        "config": {"run": {"seed": run}, **config},
        "data_hash": "d1",
        "metrics": METRICS[kind],
        "seconds": {"fit": 1.5},
    }
    return manager.publish(kind, [f"runs/{run}/{kind}/b"], extra).version


@pytest.fixture
def manager(tmp_path: Path) -> ModelManager:
    return ModelManager(tmp_path / "store")


def run(manager: ModelManager, *arguments: str) -> Result:
    environment = {"FLEETCAST_STORE": manager.store.root, "COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}
    return CliRunner().invoke(app, list(arguments), env=environment, catch_exceptions=True)


def output(manager: ModelManager, *arguments: str) -> str:
    result = run(manager, *arguments)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def problem(manager: ModelManager, *arguments: str) -> str:
    error = run(manager, *arguments).exception
    assert isinstance(error, FleetcastError) and "\n" not in str(error)
    return str(error)


def test_an_empty_store_says_how_to_make_a_model(manager: ModelManager) -> None:
    assert "fleetcast train" in output(manager, "list")
    assert json.loads(output(manager, "list", "--json")) == []
    assert output(manager, "prune") == "Nothing to remove.\n"
    for arguments in (
        ("show", "latest"),
        ("promote", "latest"),
        ("list", "--kind", "direction"),
        ("rollback", "--kind", "direction"),
    ):
        assert "fleetcast train" in problem(manager, *arguments)
    assert "no kind" in problem(manager, "rollback")
    assert not Path(manager.store.root).exists()


def test_list_shows_versions_aliases_symbols_metrics_age_and_size(manager: ModelManager) -> None:
    first, second = release(manager, "direction", "a"), release(manager, "direction", "b")
    volatility = release(manager, "volatility", "a")
    manager.promote("direction", first, "x")
    manager.promote("direction", second, "y")
    text = output(manager, "list")
    lines = {
        version: " ".join(line for line in text.splitlines() if version in line)
        for version in (first, second, volatility)
    }
    assert "previous" in lines[first] and "champion" in lines[second] and "champion" not in lines[volatility]
    assert "log loss 1.0801, prior 1.0807 (−0.0006 ± 0.0004)" in lines[first] and "KiB" in lines[first]
    assert "no detectable edge" in lines[first] and "QLIKE 0.3021" in lines[volatility]
    rows = json.loads(output(manager, "list", "--json", "--kind", "direction"))
    assert [(row["version"], row["aliases"], row["symbols"]) for row in rows] == [
        (second, ["champion"], 3),
        (first, ["previous"], 3),
    ]
    assert rows[0]["bytes"] == manager.manifest("direction", second).size and 0 <= rows[0]["age_s"] < BOUND_S


def test_list_shows_a_version_that_cannot_be_read_next_to_the_others(manager: ModelManager) -> None:
    first, second = release(manager, "direction", "a"), release(manager, "direction", "b")
    manager.store.write_json(manifest_path("direction", first), {"schema_version": 99})
    assert "schema 99" in " ".join(output(manager, "list").split()) and second in output(manager, "list")
    rows = json.loads(output(manager, "list", "--json"))
    assert "problem" not in rows[0] and "schema 99" in rows[1]["problem"]
    assert "schema 99" in problem(manager, "show", first)


def test_show_compares_metrics_with_baselines_and_names_best_and_worst(manager: ModelManager) -> None:
    version = release(manager, "direction", "a")
    manager.promote("direction", version, "first")
    text = output(manager, "show", version[:-3])
    assert "1.0801 ± 0.0012" in text and "1.0807 ± 0.0011" in text and "1.0912 ± ?" in text
    assert "[red]X" in text and "(champion)" in text and "run.seed" not in text
    assert len(text.splitlines()) <= 24
    assert "run.seed" in output(manager, "show", version, "--config")
    everyone = output(manager, "show", version, "--all-symbols")
    assert len([line for line in everyone.splitlines() if line.startswith(("AAPL", "[red]X", "^GSPC"))]) == 3
    facts = json.loads(output(manager, "show", "champion", "--json"))
    assert [score["symbol"] for score in facts["best"]] == ["AAPL", "^GSPC"]
    assert [score["symbol"] for score in facts["worst"]] == ["[red]X"]
    assert facts["best"][0]["baseline"] == "prior" and facts["history"][0]["reason"] == "first"
    assert facts["config"] == {"run": {"seed": "a"}} and facts["metrics"]["mcc"] is None
    assert facts["verdict"] == {"status": "no detectable edge", "better_than": [], "worse_than": []}
    assert "no detectable edge" in text


def test_promote_and_rollback(manager: ModelManager) -> None:
    first, second = release(manager, "direction", "a"), release(manager, "direction", "b")
    assert f"direction champion is now {first} (before: none)" in output(manager, "promote", first)
    assert f"champion is now {second} (before: {first})" in output(manager, "promote", "latest", "--reason", "audit")
    assert "is champion already" in output(manager, "promote", second)
    assert manager.aliases("direction").history[-1].reason == "audit"
    assert f"direction champion is now {first} (before: {second})" in output(manager, "rollback")
    assert json.loads(output(manager, "rollback", "--json")) == {"direction": {"champion": second, "previous": first}}


def test_rollback_without_a_kind_moves_only_kinds_that_have_a_previous(manager: ModelManager) -> None:
    first, second = release(manager, "direction", "a"), release(manager, "direction", "b")
    manager.promote("volatility", release(manager, "volatility", "a"), "x")
    manager.promote("direction", first, "x")
    manager.promote("direction", second, "x")
    assert output(manager, "rollback").count("champion is now") == 1
    assert "no previous champion" in problem(manager, "rollback", "--kind", "volatility")


def test_a_reference_that_is_unclear_or_unknown_is_one_line(manager: ModelManager) -> None:
    direction, volatility = release(manager, "direction", "a"), release(manager, "volatility", "a")
    assert "Add --kind" in problem(manager, "promote", "latest")
    assert direction in output(manager, "show", "latest") and volatility in output(manager, "show", "latest")
    assert f"direction {direction}" in output(manager, "show", "latest", "--kind", "direction")
    unknown = problem(manager, "promote", "../../etc")
    assert direction in unknown and volatility in unknown
    assert "is not a kind" in problem(manager, "show", "latest", "--kind", "../x")


def test_prune_says_what_it_removed(manager: ModelManager) -> None:
    made = [release(manager, "direction", name) for name in "abc"]
    manager.promote("direction", made[0], "x")
    assert "removed 1 version, 0 incomplete versions, 0 runs" in output(manager, "prune", "--keep", "1")
    freed = json.loads(output(manager, "prune", "--keep", "1", "--grace-hours", "0", "--json"))["direction"]
    assert freed["versions"] == [] and freed["runs"] == ["a", "b", "c"]
    assert manager.versions("direction") == [made[0], made[2]]
    assert run(manager, "prune", "--keep", "0").exit_code == 2


def test_trials_are_listed_and_a_removal_stays_visible(manager: ModelManager) -> None:
    assert "No trials" in output(manager, "trials")
    version, ledger = release(manager, "direction", "a"), TrialLedger(manager.store)
    mistaken = Trial(kind="backtest", name="direction on a run", identity=[1], sharpe=3.5)
    ledger.add(mistaken)
    name = mistaken.file.removesuffix(".json")
    listed = json.loads(output(manager, "trials", "--json"))
    assert {one["name"] for one in listed["trials"]} == {f"direction {version}", "direction on a run"}
    assert "3.50" in output(manager, "trials") and "2 trials count" in output(manager, "trials")
    assert "without a reason" in problem(manager, "trials", "--remove", name)
    assert "left: 1 trial" in output(manager, "trials", "--remove", name, "--reason", "wrong bars")
    assert "wrong bars" in output(manager, "trials") and "1 trial counts" in output(manager, "trials")
    published = next(one["id"] for one in listed["trials"] if one["kind"] == "version")
    assert "counts as long as it exists" in problem(manager, "trials", "--remove", published, "--reason", "x")
    assert "there is none" in problem(manager, "trials", "--remove", "../x", "--reason", "x")


def test_the_module_is_light() -> None:
    heavy = "{'numpy', 'pandas', 'pyarrow', 'pydantic', 'tensorflow', 'ray', 'training.registry.manager'}"
    script = f"import sys, cluster.commands.models; print(sorted({heavy} & set(sys.modules)))"
    found = subprocess.run(
        [sys.executable, "-c", script], cwd=Path(__file__).parents[2], capture_output=True, text=True
    )
    assert json.loads(found.stdout.replace("'", '"')) == [], found.stderr


def test_the_champions_of_both_kinds_are_shown_without_a_version(manager: ModelManager) -> None:
    versions = {kind: release(manager, kind, "a") for kind in ("direction", "volatility")}
    for kind, version in versions.items():
        manager.promote(kind, version, "x")
    text = output(manager, "show")
    assert all(f"{kind} {version} (champion)" in text for kind, version in versions.items())
    assert list(json.loads(output(manager, "show", "champion", "--json"))) == ["direction", "volatility"]
    assert json.loads(output(manager, "show", "--kind", "volatility", "--json"))["kind"] == "volatility"


def test_a_beginning_that_several_versions_of_one_kind_have_is_refused_for_all_kinds(manager: ModelManager) -> None:
    release(manager, "direction", "a")
    release(manager, "direction", "b")
    release(manager, "volatility", "a")
    beginning = manager.versions("direction")[0][:4]
    for verb in ("promote", "show"):
        assert f"'{beginning}' matches 2 versions of direction" in problem(manager, verb, beginning)
    assert manager.aliases("volatility").champion is None


def test_the_doctor_finds_a_champion_whose_member_does_not_exist(manager: ModelManager) -> None:
    manager.promote("volatility", release(manager, "volatility", "7", volatility={"members": ["linear", "lstm"]}), "x")
    assert [finding.state for finding in _models(manager.store)] == ["ok"]
    manager.promote("volatility", release(manager, "volatility", "8", volatility={"members": ["nosuch"]}), "x")
    [finding] = _models(manager.store)
    assert finding.state == "problem" and "'nosuch'" in finding.found and "fleetcast train" in finding.remedy
