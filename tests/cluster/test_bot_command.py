"""``fleetcast bot``: a process that scans, ends in an orderly way, and says how it is; replays; bad input."""

import json
import shutil
import signal

import pandas as pd
import pytest
from waiting import BOUND_S, wait_until

from features.store.store import Store
from training.backtesting.sources import of_walk_forward

pytestmark = pytest.mark.slow


@pytest.fixture
def past_store(walked, tmp_path):
    shutil.copytree(walked.store, tmp_path / "store")
    return str(tmp_path / "store")


def test_replay_prints_the_account_next_to_the_backtests(call, past_store, monkeypatch):
    monkeypatch.setattr("cluster.options.bot_options._SHOWN_EVERY_S", 0.0)
    ran = call("bot", "replay", "--store", past_store, "--json", "--from", "2016-03-01", "--to", "2016-03-31")
    march = pd.bdate_range("2016-03-01", "2016-03-31")
    found = json.loads(ran.out)
    assert found["difference"] < 0.005 and found["days"] == 23
    shown = ran.err.splitlines()
    assert "2016-03-01 to 2016-03-31" in shown[0] and shown[1:] == [f"  {day:%Y-%m-%d}" for day in march]
    again = call("bot", "replay", "--store", past_store, "--from", "2016-03-01", "--to", "2016-03-31")
    assert "largest difference at any bar 0.00" in again.out


def test_a_replay_has_the_account_of_the_backtest_to_its_last_bar(call, past_store):
    """A walk-forward run forecasts volatility up to five bars before its last bar only."""
    last = of_walk_forward(Store(past_store)).days()[1].astype("datetime64[D]")
    first = str(last - 40)
    chosen = ["--store", past_store, "--json", "--strategy", "relative_rank", "--set", "strategy.filter.skill=assumed"]
    tested = json.loads(call("backtest", *chosen, "--set", f"backtest.start={first}").out)
    replayed = json.loads(call("bot", "replay", *chosen, "--from", first).out)
    assert replayed["fills"] > 0 and replayed["days"] == tested["bars"]
    assert replayed["equity"] == pytest.approx(1e6 * (1.0 + tested["metrics"]["total_return"]), abs=0.005)
    assert replayed["difference"] < 0.005


@pytest.mark.parametrize("day", ["2015-01-01", "2030-01-01"])
def test_a_break_needs_forecasts_before_and_after_it(call, past_store, day):
    ran = call("bot", "replay", "--store", past_store, "--scramble-from", day)
    assert ran.code == 2 and f"returns cannot be scrambled from {day} on" in ran.err and ran.err.count("\n") == 1


def test_status_of_a_bot_that_never_ran(call, tmp_path):
    Store(tmp_path / "store").write("x", b"")
    ran = call("bot", "status", "--store", str(tmp_path / "store"))
    assert ran.code == 2 and "journal" in ran.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--every", "soon"], "no period from 1s to 366d"),
        (["run", "--task", "scam"], "there is no task 'scam'. Did you mean 'scan'?"),
        (["run", "--live"], "none that trades money is included"),
        (["run", "--store", "/no/such/store"], "there is no store"),
        (["scan", "--set", "bot.name=a b"], "bot.name"),
        (["run", "--set", "bot.schedules.scan=0 0 * * * Mars"], "time zone 'Mars'"),
    ],
)
def test_bad_input_is_one_line(call, arguments, message, tmp_path):
    if "--store" not in arguments:
        (tmp_path / "store").mkdir(exist_ok=True)
        arguments = [*arguments, "--store", str(tmp_path / "store")]
    ran = call("bot", *arguments)
    assert ran.code == 2 and message in ran.err and ran.err.count("\n") == 1


@pytest.fixture
def running(start, tmp_path):
    """A bot in a process, on a store without models."""
    store = str(tmp_path / "store")
    Store(store).write("x", b"")
    process = start("bot", "run", "--store", store, "--every", "10m")
    yield process, store
    process.kill()
    process.wait()


def test_a_bot_without_models_reports_it_and_ends_at_sigterm(running, call):
    """Tasks that fail do not end the process; SIGTERM does, with the lease given back."""
    process, store = running

    def status():
        assert process.poll() is None
        out = call("bot", "status", "--json", "--store", store).out
        found = json.loads(out) if out else {"tasks": {}}
        outcomes = {name: task["outcome"] for name, task in found["tasks"].items()}
        return found if outcomes.get("scan") == "failed" and outcomes.get("heartbeat") == "done" else None

    found = wait_until(status)
    assert "holds no direction model" in found["tasks"]["scan"]["error"]
    assert found["holder"]
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=BOUND_S)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    after = json.loads(call("bot", "status", "--json", "--store", store).out)
    assert after["holder"] == "" and after["stopped_at"] and after["schedule"] == "every 10m"
    assert after["problems"][0].startswith("no process runs bot paper: it was stopped at ")
    wrong = call("bot", "status", "papr", "--store", store)
    assert wrong.code == 2 and "the journal has no bot 'papr'. Did you mean 'paper'?" in wrong.err
