"""Monitoring of a journal, on both engines: figures are those of the tables, states go on from day to day."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import insert, select

from configs.errors import LeaseLostError
from configs.monitoring import MonitoringConfig
from serving.journal.leases import acquire
from serving.journal.schema import monitor_states, outcomes, predictions
from serving.monitoring.evaluations import kinds_of, read_evaluations
from serving.monitoring.kind_tests import KindState, advance
from serving.monitoring.live_skill import live_scores
from serving.monitoring.monitor import Monitor
from serving.monitoring.report.monitoring_page import render, verdicts
from serving.monitoring.sentences import findings
from serving.monitoring.steps import complete_steps
from training.metrics.classification import brier, log_loss
from training.metrics.volatility import qlike

pytestmark = pytest.mark.slow

CONFIG = MonitoringConfig()
NOW = datetime(2024, 12, 31, tzinfo=UTC)
KINDS = ("direction", "volatility")


@pytest.fixture(scope="module")
def frames(make_forecasts):
    return {kind: make_forecasts(kind, 70, 4) for kind in KINDS}


@pytest.fixture
def filled(journal, frames, fill):
    with journal.begin() as connection:
        for kind, frame in frames.items():
            fill(connection, kind, frame)
    return journal


def test_what_is_read_is_what_was_written(filled, frames):
    with filled.connect() as connection:
        assert kinds_of(connection) == [("direction", 1), ("volatility", 5)]
        for kind, frame in frames.items():
            found = read_evaluations(connection, kind, 1 if kind == "direction" else 5)
            expected = frame.sort_values(["bar_date", "symbol"], ignore_index=True)
            assert set(frame.columns) <= set(found.columns)
            for name in frame.columns:
                pd.testing.assert_series_equal(found[name], expected[name], check_dtype=False, check_names=False)
            few = read_evaluations(connection, kind, 1 if kind == "direction" else 5, since=NOW - timedelta(days=300))
            assert 0 < len(few) < len(found)
            empty = read_evaluations(connection, kind, 77)
            assert empty.empty and {"bar_date", "first_label", "first_target"} & set(empty.columns)


def test_the_figures_are_those_of_the_forecasts(filled, frames):
    result = Monitor(filled).run(NOW)
    direction, volatility = result.kinds
    frame = frames["direction"]
    p = frame[["p_down", "p_sideways", "p_up"]].to_numpy()
    assert direction.scores["log_loss"] == pytest.approx(log_loss(frame["label"], p))
    assert direction.scores["brier"] == pytest.approx(brier(frame["label"], p))
    assert direction.scores["log_loss_prior"] == pytest.approx(np.log(3.0))
    assert direction.scores["days"] == 70 and 0 < direction.scores["log_loss_vs_prior_se"] < 0.1
    inside = [frame[f"in_set_{name}"][frame["label"] == k] for k, name in enumerate(("down", "sideways", "up"))]
    assert direction.scores["coverage"] == pytest.approx(np.concatenate(inside).mean())
    frame = frames["volatility"]
    assert volatility.scores["qlike"] == pytest.approx(qlike(frame["target"], frame["forecast"]))
    assert volatility.scores["qlike_log_har"] == pytest.approx(qlike(frame["target"], frame["forecast_log_har"]))
    recent = frame[frame["bar_date"] >= frame["bar_date"].unique()[-63]]
    assert volatility.recent == live_scores("volatility", recent, 5)
    assert volatility.expected.gain > 0 and volatility.realised_share.value == pytest.approx(1.0, abs=0.6)
    assert [one.rows for one in volatility.calibration] == [28] * 10
    assert direction.quality.pending == 0 and direction.quality.delay_s == 300.0 and direction.quality.behind == ()


def test_states_go_on_day_by_day_and_a_second_run_changes_nothing(journal, frames, fill):
    frame, name = frames["volatility"], "tests/volatility/5"
    for day in pd.date_range("2024-01-05", "2024-05-31", freq="W", tz="UTC"):
        with journal.begin() as connection:
            known = set(connection.execute(select(predictions.c.id)).scalars())
            fill(connection, "volatility", new_rows(frame, day), None) if len(new_rows(frame, day)) else None
            assert len(set(connection.execute(select(predictions.c.id)).scalars())) >= len(known)
        for _ in range(2):
            Monitor(journal).update(day.to_pydatetime())
    Monitor(journal).update(NOW)
    with journal.connect() as connection:
        rows = connection.execute(select(monitor_states.c.state).where(monitor_states.c.name == name)).scalars().all()
    states = advance(KindState.initial(5, CONFIG), complete_steps("volatility", frame, {}, CONFIG, NOW), {}, CONFIG)
    assert len(rows) == 70
    newest = max((KindState.from_json(one["state"]) for one in rows), key=lambda one: one.last)
    assert newest.to_json() == states[-1].to_json()
    assert len(Monitor(journal).run(NOW).kinds[0].history) == 70


def new_rows(frame, day):
    """The forecasts whose outcome became known in the week before a day."""
    return frame[(frame["known_at"] <= day) & (frame["known_at"] > day - timedelta(days=7))]


def test_looking_does_not_write_and_a_revision_rewrites_no_evidence(filled):
    looked = Monitor(filled).run(NOW, store=False)
    with filled.begin() as connection:
        assert not connection.execute(select(monitor_states)).all()
    stored = Monitor(filled).run(NOW)
    assert [one.tests for one in looked.kinds] == [one.tests for one in stored.kinds]
    assert [one.history for one in looked.kinds] == [one.history for one in stored.kinds]
    with filled.begin() as connection:
        one = connection.execute(select(outcomes).limit(1)).one()._asdict()
        later = {"revision": 1, "known_at": NOW, "label": 0, "variance": 1.0}
        connection.execute(insert(outcomes), [{**one, **later}])
    revised = Monitor(filled).run(NOW)
    assert [one.tests for one in revised.kinds] == [one.tests for one in stored.kinds]
    assert sum(one.quality.revised for one in revised.kinds) == 1
    assert [one.scores for one in revised.kinds] != [one.scores for one in stored.kinds]


def test_a_former_leader_writes_nothing(filled):
    old = acquire(filled, "bot", holder="a", term_s=0.001)
    assert acquire(filled, "bot", holder="b", clock=lambda: NOW + timedelta(days=9000)) is not None
    with pytest.raises(LeaseLostError):
        Monitor(filled).update(NOW, guard=old.guard)
    with filled.connect() as connection:
        assert not connection.execute(select(monitor_states)).all()


def test_an_alarm_is_said_everywhere_and_once(journal, make_forecasts, fill):
    frame = make_forecasts("direction", 100, 8, real=-1.0)
    with journal.begin() as connection:
        fill(connection, "direction", frame)
    result = Monitor(journal).run(NOW)
    (finding,) = findings(result)
    assert (finding.event, finding.key) == ("skill", "direction/worse")
    assert "forecasts are worse than the class prior" in finding.title and "at most 2.50%" in finding.body
    assert findings(Monitor(journal).run(NOW)) == [finding], "the same alarm has the same name"
    assert verdicts(result)[0].startswith("ALARM: forecasts are worse than the class prior since 2024-")
    assert result.has_alarm and "ALARM: forecasts are worse" in render(result)
    found = json.loads(json.dumps(result.to_json(), allow_nan=False))
    alarm = found["kinds"]["direction"]["tests"][0]["alarm"]
    assert found["alarm"] is True and alarm["steps"] < 90 and alarm["date"] == finding.occurrence


def test_a_name_is_text_on_the_page_and_never_a_tag(journal, make_forecasts, fill):
    frame = make_forecasts("direction", 8, 2)
    hostile = "<img src=x onerror=alert(1)>{{7*7}}"
    frame["symbol"] = frame["symbol"].replace("S01", hostile)
    with journal.begin() as connection:
        fill(connection, "direction", frame[(frame["symbol"] == "S00") | (frame["bar_date"] < frame["bar_date"].max())])
    result = Monitor(journal).run(NOW)
    page = render(result)
    assert result.kinds[0].quality.behind == (hostile,)
    assert "<img" not in page and "&lt;img src=x onerror=alert(1)&gt;{{7*7}}" in page


def test_an_empty_journal_and_one_without_outcomes_are_said_in_words(journal, make_forecasts, fill):
    empty = Monitor(journal).run(NOW)
    assert not empty.kinds and "no forecast yet" in verdicts(empty)[0] and "no forecast yet" in render(empty)
    with journal.begin() as connection:
        for kind in KINDS:
            fill(connection, kind, make_forecasts(kind, 3, 2), datetime(2020, 1, 1, tzinfo=UTC))
    result = Monitor(journal).run(datetime(2024, 1, 5, tzinfo=UTC), drift=True)
    assert "Direction: no outcome is known yet." in verdicts(result)
    assert [one.scores["rows"] for one in result.kinds] == [0.0, 0.0] and not result.has_alarm
    assert "no registry" in result.kinds[0].no_drift and "<html" in render(result)
    assert json.dumps(result.to_json(), allow_nan=False)
    late = Monitor(journal).run(datetime(2024, 6, 1, tzinfo=UTC))
    assert [one.quality.overdue for one in late.kinds] == [6, 6]
