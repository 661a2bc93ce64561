"""``fleetcast monitor`` on a store with models and a journal of their test forecasts."""

import json
import signal
from datetime import UTC, timedelta

import pandas as pd
import pytest
from sqlalchemy import insert
from waiting import BOUND_S

from features.labels import CLASSES
from serving.journal import open_journal
from serving.journal.schema import outcomes, predictions, row_id
from serving.monitoring.forecast_rows import BASELINE
from training.backtesting import sources
from training.registry.manager import ModelManager

pytestmark = pytest.mark.slow

HOURS = timedelta(hours=21)


@pytest.fixture(scope="module")
def journaled(trained_store, tmp_path_factory):
    """The URL of a journal with the champions' test forecasts, as if a bot had made them."""
    url = f"sqlite:///{tmp_path_factory.mktemp('monitored') / 'journal.db'}"
    manager = ModelManager(str(trained_store))
    with open_journal(url) as journal, journal.begin() as connection:
        for kind in ("direction", "volatility"):
            version = manager.aliases(kind).champion
            fill(connection, kind, version, sources.tested_table(manager, kind, version))
    return url


def fill(connection, kind, version, table):
    horizon = 1 if kind == "direction" else 5
    rows, known = [], []
    for _, part in table.groupby("symbol"):
        dates = part["date"].tolist()
        for i, one in enumerate(part.to_dict("records")):
            day = one["date"].to_pydatetime().replace(tzinfo=UTC)
            end = dates[i + horizon] if i + horizon < len(dates) else one["date"] + pd.offsets.BDay(horizon)
            end = end.to_pydatetime().replace(tzinfo=UTC)
            key = row_id(one["symbol"], kind, day.isoformat(), horizon, version)
            row = {name: one.get(name) for name in ("p_down", "p_sideways", "p_up", "low", "high", "fallback")}
            row |= {f"in_set_{name}": one.get(f"in_set_{name}") for name in CLASSES}
            if kind == "direction":
                base = {BASELINE[kind]: [one[f"p_{name}_prior"] for name in CLASSES]}
            else:
                base = {BASELINE[kind]: one["forecast_log_har"]}
            row |= {
                "id": key,
                "symbol": one["symbol"],
                "kind": kind,
                "bar_date": day,
                "bar_close": day + HOURS,
                "horizon_bars": horizon,
                "version": version,
                "made_at": day + HOURS + timedelta(minutes=1),
                "made_by": "test",
                "basis": "own",
                "fallback": bool(one.get("fallback") or False),
                "close": 100.0,
                "variance": one.get("forecast"),
                "level": 0.9,
                "bars_per_year": 252.0,
                "baselines": base,
                "is_shadow": False,
            }
            rows.append(row)
            outcome = {"prediction_id": key, "revision": 0, "known_at": end + HOURS, "bar_date": end}
            outcome |= {"bar_close": end + HOURS, "log_return": 0.0, "variance": one.get("target", 1e-4)}
            known.append(outcome | {"label": int(one["label"]) if kind == "direction" else None})
    connection.execute(insert(predictions), rows)
    connection.execute(insert(outcomes), known)


def test_the_command_prints_skill_tests_and_drift_and_writes_a_page(call, trained_store, journaled, tmp_path):
    page = tmp_path / "page.html"
    done = call("monitor", "--store", str(trained_store), "--database", journaled, "--html", str(page))
    assert done.code == 0 and not done.err, done
    assert "No alarm: nothing shows that direction or volatility lost its skill." in done.out
    for words in ("the class prior", "QLIKE", "alarm at", "earlier period", "outcomes inside intervals"):
        assert words in done.out, words
    assert page.read_text().startswith("<!doctype html>")


def test_live_figures_of_test_forecasts_are_those_of_the_test(call, trained_store, journaled):
    done = call("monitor", "--json", "--no-features", "--store", str(trained_store), "--database", journaled)
    found, manager = json.loads(done.out), ModelManager(str(trained_store))
    assert done.code == 0 and set(found["kinds"]) == {"direction", "volatility"}
    for kind, loss in (("direction", "log_loss"), ("volatility", "qlike")):
        report, version = found["kinds"][kind], manager.aliases(kind).champion
        tested = manager.manifest(kind, version).metrics
        scores = report["scores"]
        assert scores[loss] == pytest.approx(tested[loss], rel=1e-6)
        name = BASELINE[kind]
        for key in (f"{loss}_vs_{name}", f"{loss}_vs_{name}_se", "coverage"):
            assert scores[key] == pytest.approx(tested[key], rel=1e-4), key
        assert report["version"] == version and report["kept"]["value"] == report["tested"][version]["kept"][0]
        assert report["no_drift"] == "it was not asked for" and not report["drift"]
    direction = found["kinds"]["direction"]
    assert direction["steps"] > 20 and direction["tests"][0]["threshold"] == 40.0


def test_watching_prints_again_until_it_is_interrupted(start, trained_store, journaled):
    where = ("--store", str(trained_store), "--database", journaled)
    process = start("monitor", "--watch", "--every", "0.2s", "--no-features", *where)
    seen = 0
    for line in process.stdout:
        seen += line.startswith("No alarm")
        if seen == 2:
            break
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=BOUND_S)
    assert seen == 2 and process.returncode == 130 and err.strip() == "interrupted"


def test_what_is_missing_is_said_in_one_line(call, trained_store, tmp_path):
    nothing = call("monitor", "--store", str(trained_store), "--database", f"sqlite:///{tmp_path / 'none.db'}")
    assert nothing.code == 2 and nothing.err.count("\n") == 1 and "none.db" in nothing.err
    wrong = call("monitor", "--html", str(tmp_path / "no" / "page.html"), "--store", str(trained_store))
    assert wrong.code == 2 and "--html" in wrong.err
    assert call("monitor", "--every", "soon").code == 2
