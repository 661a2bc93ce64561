"""``fleetcast backtest`` and ``fleetcast signals``: what is printed, refused and counted."""

import json
from pathlib import Path
from shutil import copy, copytree

import pandas as pd
import pytest

from features.store.store import Store
from training.registry.reports import Reports
from training.registry.trials import TrialLedger

pytestmark = pytest.mark.slow


@pytest.fixture
def store(walked, tmp_path):
    return str(copytree(walked.store, tmp_path / "store"))


def fits(out):
    return max(len(line) for line in out.splitlines() if "  " in line.strip()) <= 80


def test_the_tables_fit_and_the_last_line_says_whether_it_could_be_luck(call, store, walked):
    done = call("backtest", "--walk-forward", walked.name[:5], "--store", store, "--simulations", "2")
    assert done.code == 0, done.err
    lines = done.out.strip().splitlines()
    assert f"volatility_target on walk-forward run {walked.name}" == lines[0]
    assert done.err.startswith("Monte Carlo: 2 simulations of each kind")
    assert "181 bars of 3 symbols, 260 a year; costs: us_equities" in lines[1]
    assert lines[-1].startswith("after 1 trial the Sharpe of ") and fits(done.out)
    for text in ("buy and hold", "less volatility target, EWMA", "realised utility", "Monte Carlo", "noisy prices"):
        assert text in done.out
    assert "DSR" not in "".join(lines[:-1]), "no deflated ratio without its trials"
    (account,) = (line.split() for line in lines if line.startswith("strategy "))
    (paid,) = (line.split() for line in lines if line.startswith("all "))
    a_year = float(paid[1].replace(",", "")) / 1e6 / (180 / 260)
    assert float(account[-1]) == pytest.approx(100.0 * a_year, abs=0.006), "the table is in % a year"


def test_json_is_one_document_and_nothing_else(call, store):
    options = ("--strategy", "direction_x_volatility", "--benchmark", "BBB", "--set", "backtest.costs.preset=none")
    done = call("backtest", "--store", store, *options, "--json")
    found = json.loads(done.out)
    assert done.code == 0 and found["strategy"]["name"] == "direction_x_volatility"
    assert found["comparisons"]["buy_and_hold"]["title"] == "buy and hold BBB"
    assert {"strategy_ewma", "strategy_prior", "volatility_target_ewma"} <= set(found["comparisons"])
    assert found["significance"]["trials"] == 1 and found["simulations"] is None


def test_a_strategy_that_holds_nothing_says_why(call, store):
    done = call("backtest", "--store", store, "--strategy", "direction")
    assert done.code == 0 and "a position is held in 0 of 540 decisions; the others are 0 because of:" in done.out
    assert "same with class prior holds nothing either: limits and filters decided, not the model" in done.out
    assert "there is no Sharpe ratio to judge" in done.out.strip().splitlines()[-1]


def test_a_tear_sheet_is_a_file_and_replaces_the_one_before(call, store, tmp_path):
    path = tmp_path / "sheet.html"
    path.write_text("old")
    done = call("backtest", "--store", store, "--report", str(path))
    page = path.read_text(encoding="utf-8")
    assert done.code == 0 and str(path) in done.err and page.lstrip().startswith("<!doctype html>")
    assert done.out.strip().splitlines()[-1].removeprefix("after ") in page
    assert [one.name for one in tmp_path.iterdir() if one.is_file()] == ["sheet.html"], "no file is left over"
    (kept,) = Reports(Store(store)).newest_first()
    assert kept.name in done.err and Reports(Store(store)).newest() == path.read_bytes()
    assert "the model added" in done.out.strip().splitlines()[-2] and "he model added" in page


def test_a_full_disk_costs_the_tear_sheet_only(call, store, tmp_path, file_size_limit):
    path = tmp_path / "sheet.html"
    path.write_text("old")
    with file_size_limit(1_000_000):
        done = call("backtest", "--store", store, "--report", str(path))
    assert done.code == 2 and "File too large" in done.err and done.err.count("\n") == 1
    assert done.out.strip().splitlines()[-1].startswith("after 1 trial the Sharpe of ")
    assert path.read_text() == "old" and [one.name for one in tmp_path.iterdir() if one.is_file()] == ["sheet.html"]
    assert not Store(store).names("reports")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--walk-forward", "a", "--version", "champion"], "both given"),
        (["--walk-forward", "zzz"], "there is no run 'zzz'"),
        (["--version", "champion"], "holds no model"),
        (["--strategy", "directoin"], "Did you mean 'direction'?"),
        (["--benchmark", "SPY"], "backtest.benchmark 'SPY' has no bars here"),
        (["--simulations", "-1"], "--simulations -1: backtest.simulations has value -1"),
        (["--set", "backtest.costs.commission_bps=-1"], "expected a number of at least 0"),
        (["--set", "backtest.start=2001-01-01"], "is in sample"),
        (["--report", "no/such/sheet.html"], "there is no folder 'no/such'"),
        (["--report", "/"], "it is a folder"),
        (["--report", "-"], "it is no name of a file"),
    ],
)
def test_one_clear_error_and_no_trial(call, store, options, message):
    done = call("backtest", "--store", store, *options)
    assert done.code == 2 and message in done.err and done.err.count("\n") == 1
    assert TrialLedger(Store(store)).tried().trials == 0


def test_without_a_run_it_says_how_to_make_one(call, tmp_path):
    done = call("backtest", "--store", str(tmp_path))
    assert done.code == 2 and "has no walk-forward run. Make one: fleetcast walk-forward." in done.err
    done = call("signals", "--store", str(tmp_path))
    assert done.code == 2 and "fleetcast train" in done.err


@pytest.fixture(scope="module")
def trained(tmp_path_factory, walked, tiny_config):
    """A store with a version of each kind, trained on a copy of the walk-forward run's bars; and these."""
    from training import ModelTrainer

    folder = tmp_path_factory.mktemp("versions")
    bars = Path(copy(walked.bars, folder / "bars.parquet"))
    config = tiny_config(f"data.bars={bars}", "volatility.members=[boosting]")
    ModelTrainer(config, str(folder / "store")).train_multi_asset_models(["AAA", "BBB", "CCC"])
    return str(folder / "store"), bars


def test_signals_are_what_the_newest_forecasts_lead_to(call, trained):
    store, _ = trained
    found = json.loads(call("signals", "--store", store, "--json").out)
    predicted = json.loads(call("predict", "--store", store, "--json", "-").out)
    assert [one["symbol"] for one in found["signals"]] == ["AAA", "BBB", "CCC"]
    for signal, one in zip(found["signals"], predicted, strict=True):
        assert signal["as_of"] == one["as_of"] and signal["action"] == "buy" and signal["position_size"] > 0
        assert signal["volatility"] == pytest.approx(one["volatility"]["annualised"], rel=0.02)
        assert signal["confidence"] == pytest.approx(max(one["direction"]["probabilities"].values()), abs=0.3)
    assert "not up to date" in found["notes"][0]
    done = call("signals", "--store", store, "--strategy", "direction", "--symbols", "BBB")
    assert done.code == 0 and "BBB" in done.out and "AAA" not in done.out.replace("AAA, BBB", "") and fits(done.out)
    assert "costs" in done.out or "unproven skill" in done.out
    done = call("signals", "--store", store, "--symbols", "ZZZ")
    assert done.code == 2 and "there is no forecast of ZZZ; there are those of AAA, BBB, CCC" in done.err


def test_the_test_period_of_a_version_is_traded_unless_its_bars_changed(call, trained):
    store, bars = trained
    sheet = bars.with_name("sheet.html")
    done = call("backtest", "--store", store, "--version", "champion", "--json", "--report", str(sheet))
    found = json.loads(done.out)
    assert "hash of the content" in sheet.read_text(encoding="utf-8")
    assert found["forecasts"].startswith("the test period of direction ") and not found["missing"]
    assert found["significance"]["trials"] == 3, "two versions and this backtest"
    frame = pd.read_parquet(bars)
    later = frame.groupby("symbol").tail(1).assign(date=lambda one: one["date"] + pd.Timedelta(days=3))
    pd.concat([frame, later]).to_parquet(bars)
    again = json.loads(call("backtest", "--store", store, "--version", "champion", "--json").out)
    assert again["metrics"] == found["metrics"], "bars that follow change nothing"
    frame.loc[frame["symbol"] == "BBB", "close"] = frame.loc[frame["symbol"] == "AAA", "close"].to_numpy()
    frame["high"] = frame[["open", "high", "close"]].max(axis=1)
    frame["low"] = frame[["open", "low", "close"]].min(axis=1)
    frame.to_parquet(bars)
    done = call("backtest", "--store", store, "--version", "champion")
    assert done.code == 2 and "has other bars of BBB than" in done.err and "outcomes differ" in done.err
