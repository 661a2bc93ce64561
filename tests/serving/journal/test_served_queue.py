"""The queue of served predictions: a database that is down, counts that wait, and what is dropped."""

import sqlite3
import threading
from contextlib import closing

import pytest
from waiting import wait_until

from configs import DatabaseUnavailableError, JournalConfig
from serving.answers import KINDS
from serving.journal import open_journal
from serving.journal.predictions import Served, count_served, record
from serving.journal.reading import read_predictions
from serving.journal.served import ServedPredictions


def read(journal):
    with journal.connect() as connection:
        return read_predictions(connection, "direction")


def test_a_database_that_is_down_delays_nothing_and_is_caught_up(engine, url):
    is_down = threading.Event()
    is_down.set()

    def opened():
        if is_down.is_set():
            raise DatabaseUnavailableError("the server does not answer.")
        return open_journal(url)

    recorder = ServedPredictions(opened, JournalConfig(flush_s=0.01, queue_rows=6))
    for _ in range(5):  # more than the queue, but of two predictions
        recorder.offer(engine.snapshot, ["AAA", "BBB"], ("direction",))
        wait_until(lambda: not recorder._tally.served)
    wait_until(lambda: recorder.stats()["problem"] is not None)
    assert recorder.stats() == {"written": 0, "waiting": 10, "dropped": 0, "problem": "the server does not answer."}
    is_down.clear()
    recorder.close()
    assert recorder.stats() == {"written": 10, "waiting": 0, "dropped": 0, "problem": None}
    with open_journal(url) as journal:
        assert read(journal)["times_served"].tolist() == [5, 5]


def test_counting_takes_as_many_steps_as_rows_whatever_statistics_the_database_has(url, make_prediction):
    rows = [make_prediction(f"S{i}") for i in range(500)]
    with open_journal(url) as journal:
        with journal.begin() as connection:
            record(connection, rows[:3])
            connection.exec_driver_sql("ANALYZE")
        with journal.begin() as connection:
            record(connection, rows[3:])
        thousands = []
        with journal.begin() as connection:
            driver = connection.connection.driver_connection
            driver.set_progress_handler(lambda: thousands.append(1), 1000)
            assert not count_served(connection, {row.id: Served(1, row.made_at, row.made_at) for row in rows})
            driver.set_progress_handler(None, 0)
        assert len(thousands) < 100


def test_what_the_queue_cannot_take_is_dropped_and_counted(engine, url):
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as other:
        other.execute("BEGIN IMMEDIATE")
        config = JournalConfig(flush_s=0.01, busy_timeout_s=0.05, queue_rows=3)
        seen = []
        recorder = ServedPredictions(
            lambda: open_journal(url, config=config), config, lambda *counts: seen.append(counts)
        )
        recorder.offer(engine.snapshot, ["AAA", "BBB"], KINDS)  # four at a time do not fit
        recorder.offer(engine.snapshot, ["AAA", "BBB", "CCC"], ("direction",))
        wait_until(lambda: recorder.stats()["problem"])
        recorder.offer(engine.snapshot, ["DDD"], ("direction",))
        wait_until(lambda: recorder.stats()["dropped"] == 5)
        assert recorder.stats()["waiting"] == 3 and "lock" in recorder.stats()["problem"]
        other.rollback()
    recorder.close()
    assert recorder.stats()["written"] == 3 and recorder.stats()["dropped"] == 5
    assert [sum(column) for column in zip(*seen, strict=True)][:2] == [3, 5] and seen[-1][2] == 0


@pytest.mark.slow
def test_counts_of_known_predictions_wait_for_a_new_one(engine, url, quick):
    seen = []
    recorder = ServedPredictions(
        lambda: open_journal(url, config=quick), JournalConfig(flush_s=0.2), lambda *counts: seen.append(counts)
    )
    recorder.offer(engine.snapshot, ["AAA"], ("direction",))
    wait_until(lambda: (1, 0, 0) in seen)
    recorder.offer(engine.snapshot, ["AAA"], ("direction",))
    wait_until(lambda: (0, 0, 1) in seen)  # a turn that wrote nothing
    recorder.offer(engine.snapshot, ["BBB"], ("direction",))
    wait_until(lambda: (2, 0, 0) in seen)
    recorder.close()
    with open_journal(url) as journal:
        assert read(journal).set_index("symbol")["times_served"].to_dict() == {"AAA": 2, "BBB": 1}


@pytest.mark.slow
def test_counts_are_written_before_they_fill_the_queue(engine, url, quick):
    seen = []
    recorder = ServedPredictions(
        lambda: open_journal(url, config=quick),
        JournalConfig(flush_s=0.2, queue_rows=3),
        lambda *counts: seen.append(counts),
    )
    for symbols in (["AAA", "BBB"], ["AAA", "BBB"], ["CCC", "DDD"]):
        recorder.offer(engine.snapshot, symbols, ("direction",))
        wait_until(lambda: not recorder._tally.served)
        turns = len(seen)
        wait_until(lambda turns=turns: len(seen) > turns)
    recorder.close()
    assert recorder.stats() == {"written": 6, "waiting": 0, "dropped": 0, "problem": None}


def test_what_waits_at_the_end_for_a_database_that_is_down_is_counted_as_dropped(engine, caplog, quick):
    def down():
        raise DatabaseUnavailableError("the server does not answer.")

    recorder = ServedPredictions(down, quick)
    recorder.offer(engine.snapshot, ["AAA"], KINDS)
    wait_until(lambda: recorder.stats()["problem"])
    recorder.close()
    assert recorder.stats() == {"written": 0, "waiting": 0, "dropped": 2, "problem": "the server does not answer."}
    assert [record.message for record in caplog.records] == [
        "the server does not answer. Predictions wait in memory",
        "the journal lacks the last 2 served predictions: the server does not answer.",
    ]


def test_what_a_locked_database_does_not_take_at_the_end_is_logged(engine, url, caplog):
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as other:
        other.execute("BEGIN IMMEDIATE")
        recorder = ServedPredictions(lambda: open_journal(url), JournalConfig(flush_s=0.01))
        recorder.offer(engine.snapshot, ["AAA"], KINDS)
        recorder.close(timeout_s=0.1)
        assert "lacks the last 2 served predictions: the database did not answer within 0.1 s." in caplog.text
        other.rollback()
    recorder.close()
    assert recorder.stats()["written"] == 2
