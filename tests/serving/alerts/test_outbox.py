"""The outbox: alerts are written with what they report, once, and conditions have a beginning and an end."""

from datetime import datetime, timedelta

import pytest

from serving.alerts import Alert, AlertError, raise_alert, resolve_alerts, settle
from serving.alerts.outbox import open_conditions


def test_an_alert_is_written_with_its_transaction_or_not_at_all(desk):
    with pytest.raises(ZeroDivisionError), desk.journal.begin() as connection:
        raise_alert(connection, desk.alert())
        _ = 1 / 0
    assert desk.rows() == []


def test_the_same_alert_raised_again_is_one_row(desk):
    first, again = desk.raise_(desk.alert()), desk.raise_(desk.alert())
    assert first == again and len(desk.rows()) == 1
    assert desk.raise_(desk.alert(occurrence="2")) != first and len(desk.rows()) == 2


def test_a_condition_is_raised_once_repeated_after_a_day_and_raised_again_when_it_becomes_severe(desk, clock):
    def found(**facts):
        return desk.raise_(desk.alert("dead_data", "AAPL", "no bar", **facts))

    assert len(found()) == 1
    clock.forward(hours=23)
    assert found() == [] and len(found(severity="critical")) == 1
    clock.forward(hours=23)
    assert found(severity="warning") == []
    clock.forward(hours=1)
    assert len(found(severity="critical")) == 1
    assert [row.phase for row in sorted(desk.rows(), key=lambda row: row.created_at)] == [
        "raised",
        "raised",
        "repeated",
    ]
    with desk.journal.connect() as connection:
        (one,) = open_conditions(connection, "bot", "dead_data")
    assert one.phase == "repeated" and one.since == clock() - timedelta(hours=47)


def test_a_condition_with_an_occurrence_of_its_own_is_repeated_every_day_and_can_come_back(desk, clock):
    for _ in range(4):
        assert len(desk.raise_(desk.alert("skill", "direction", "worse", occurrence="2026-01-02"))) == 1
        clock.forward(hours=24)
    with desk.journal.begin() as connection:
        assert len(open_conditions(connection, "bot", "skill")) == 1
        resolve_alerts(connection, "bot", "skill", ["direction"], clock())
    clock.forward(hours=1)
    desk.raise_(desk.alert("skill", "direction", "worse", occurrence="2026-01-02"))
    phases = [row.phase for row in sorted(desk.rows(), key=lambda row: row.created_at)]
    assert phases == ["raised", "repeated", "repeated", "repeated", "resolved", "raised"]


def test_settle_ends_what_no_longer_holds_and_leaves_what_was_not_judged(desk, clock):
    with desk.journal.begin() as connection:
        settle(connection, "bot", "drift", [desk.alert("drift", name) for name in "ABC"], clock())
    clock.forward(hours=1)
    with desk.journal.begin() as connection:
        ended = settle(connection, "bot", "drift", [desk.alert("drift", "A")], clock(), judged=["A", "B"])
        assert len(ended) == 1
        assert [row.key for row in open_conditions(connection, "bot", "drift")] == ["A", "C"]
        assert resolve_alerts(connection, "bot", "drift", ["C", "Z"], clock()) and not resolve_alerts(
            connection, "bot", "drift", ["C"], clock()
        )
    resolved = [row for row in desk.rows() if row.phase == "resolved"]
    assert sorted(row.key for row in resolved) == ["B", "C"]
    assert all(row.since == clock() - timedelta(hours=1) and row.resolved_at == clock() for row in resolved)


def test_a_condition_that_comes_back_is_a_new_one(desk, clock):
    for _ in range(2):
        desk.raise_(desk.alert("drift", "A"))
        clock.forward(hours=1)
        with desk.journal.begin() as connection:
            resolve_alerts(connection, "bot", "drift", ["A"], clock())
        clock.forward(hours=1)
    phases = [row.phase for row in sorted(desk.rows(), key=lambda row: row.created_at)]
    assert phases == ["raised", "resolved"] * 2


def test_bots_do_not_share_conditions(desk, clock):
    desk.raise_(desk.alert("drift", "A"))
    with desk.journal.begin() as connection:
        settle(connection, "another", "drift", [], clock())
        assert len(open_conditions(connection, "bot", "drift")) == 1


def test_an_alert_that_cannot_be_is_one_clear_error(clock):
    for event, at, facts, says in (
        ("nosuch", clock(), {}, "Choose one of: signal"),
        ("drift", datetime(2026, 1, 2), {}, "no zone"),
        ("drift", clock(), {"severity": "bad"}, "info, warning, critical"),
    ):
        with pytest.raises(AlertError, match=says):
            Alert("bot", event, "A", at, "title", **facts)


def test_texts_and_data_that_no_database_or_service_takes_are_made_plain(desk, clock):
    import numpy as np

    data = {"psi": float("nan"), "n": np.float64(2.5), "names": ("A", "B"), 3: float("inf")}
    desk.raise_(desk.alert(key="A\x00B\ud800", title="t\x00i\nt\udfffle" + "x" * 500, body="b\x00\ud800\nc", data=data))
    (row,) = desk.rows()
    assert row.key == "A B?" and row.title.startswith("t i t?le") and len(row.title) == 300 and row.body == "b ?\nc"
    assert row.data == {"psi": None, "n": 2.5, "names": ["A", "B"], "3": None}


def test_a_condition_does_not_end_before_it_was_reported(desk, clock):
    """A bot that was off reports at once that bars are missing, and then makes the steps of the past."""
    desk.raise_(desk.alert("dead_data", "AAPL", "no bar"))
    with desk.journal.begin() as connection:
        resolve_alerts(connection, "bot", "dead_data", ["AAPL"], clock() - timedelta(days=21))
    rows = desk.rows()
    assert sorted(row.phase for row in rows) == ["raised", "resolved"]
    assert {row.created_at for row in rows} == {row.resolved_at for row in rows} == {clock()}
