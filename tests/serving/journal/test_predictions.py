"""Predictions are written once and read back as they were, and served ones are counted."""

import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from processor_time import assert_fast
from sqlalchemy import func, select
from waiting import BOUND_S

from configs import ConfigError, DataError
from features.bars.schema import SymbolBars
from serving.journal import open_journal
from serving.journal.predictions import Served, as_shadow, count_served, record
from serving.journal.reading import one_a_bar, read_predictions
from serving.journal.schema import predictions
from training.strategy.view_builder import read_view
from training.validation.backtest.read_market import read_market

pytestmark = pytest.mark.slow


def stored_count(journal):
    with journal.connect() as connection:
        return connection.execute(select(func.count()).select_from(predictions)).scalar_one()


def test_a_prediction_is_written_once_and_stays_as_it_was_first(journal, make_prediction):
    rows = [make_prediction(symbol, kind) for symbol in ("AAA", "BBB") for kind in ("direction", "volatility")]
    with journal.begin() as connection:
        assert record(connection, rows) == rows
    changed = [replace(row, close=1.0, made_by="another", baselines={}) for row in rows]
    new = make_prediction("CCC")
    with journal.begin() as connection:
        assert record(connection, [changed[3], new, changed[0], changed[3]]) == [rows[3], new, rows[0], rows[3]]
    assert stored_count(journal) == 5


def test_predictions_of_a_program_are_replaced_where_numbers_differ_and_stay_counted(journal, make_prediction):
    served = [make_prediction(symbol, made_by="serve") for symbol in ("AAA", "BBB")]
    when = served[0].made_at
    with journal.begin() as connection:
        record(connection, served)
        count_served(connection, {one.id: Served(3, when, when) for one in served})
    later = when + timedelta(hours=1)
    own = [replace(one, made_by="bot:paper", made_at=later) for one in served]
    own[1] = replace(own[1], close=101.0, p_down=0.2, p_up=0.5, baselines={"prior": [0.2, 0.5, 0.3]})
    new = make_prediction("CCC", made_by="bot:paper")
    with journal.begin() as connection:
        assert record(connection, [*own, new], instead_of=("serve",)) == [served[0], own[1], new]
    again = [replace(one, close=7.0) for one in own]
    with journal.begin() as connection:  # its own stay as they are
        assert record(connection, again[1:], instead_of=("serve",)) == own[1:]
        columns = predictions.c["symbol", "close", "times_served", "made_by"]
        rows = connection.execute(select(*columns).order_by("symbol")).all()
    assert rows == [("AAA", 100.0, 3, "serve"), ("BBB", 101.0, 3, "bot:paper"), ("CCC", 100.0, 0, "bot:paper")]


def test_another_bar_horizon_or_version_is_another_prediction(journal, make_prediction):
    first = make_prediction()
    others = [make_prediction(day=1), replace(first, horizon_bars=5), replace(first, version="v2")]
    with journal.begin() as connection:
        assert record(connection, [first, *others]) == [first, *others]


def test_the_zone_in_which_a_time_is_given_changes_nothing(journal, make_prediction):
    first = make_prediction()
    zone = ZoneInfo("Asia/Tokyo")
    moved = replace(first, bar_date=first.bar_date.astimezone(zone), bar_close=first.bar_close.astimezone(zone))
    with journal.begin() as connection:
        record(connection, [moved])
        assert record(connection, [first]) == [first]
    assert stored_count(journal) == 1


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_must_be_finite(journal, make_prediction, value):
    with pytest.raises(DataError, match=r"AAA on 2026-01-05 has p_up"), journal.begin() as connection:
        record(connection, [make_prediction(p_up=value)])
    with pytest.raises(DataError, match="JSON"), journal.begin() as connection:
        record(connection, [make_prediction(baselines={"prior": [value, 0.0, 0.0]})])
    with pytest.raises(ConfigError, match="no time zone"), journal.begin() as connection:
        record(connection, [make_prediction(bar_close=datetime(2026, 1, 5))])


def test_a_transaction_that_fails_leaves_nothing(journal, make_prediction):
    with pytest.raises(ZeroDivisionError), journal.begin() as connection:
        record(connection, [make_prediction()])
        raise ZeroDivisionError
    assert stored_count(journal) == 0


def test_a_reading_transaction_sees_one_state(journal, make_prediction):
    count = select(func.count()).select_from(predictions)
    with journal.connect() as connection:
        assert connection.execute(count).scalar_one() == 0
        with journal.begin() as other:
            record(other, [make_prediction()])
        assert connection.execute(count).scalar_one() == 0
    assert stored_count(journal) == 1


def test_served_predictions_are_counted(journal, make_prediction):
    row, at = make_prediction(), datetime(2026, 1, 6, tzinfo=UTC)
    later, earlier = at + timedelta(hours=1), at - timedelta(hours=1)
    with journal.begin() as connection:
        record(connection, [row])
        count_served(connection, {row.id: Served(3, at, at)})
        count_served(connection, {row.id: Served(2, earlier, later)})
        count_served(connection, {})
    with journal.connect() as connection:
        frame = read_predictions(connection, "direction")
    assert frame[["times_served", "first_served", "last_served"]].iloc[0].tolist() == [5, earlier, later]


WRITER = """
import sys
from threading import Thread
sys.path.insert(0, sys.argv[2])
from conftest import prediction
from serving.journal import open_journal
from serving.journal.predictions import record

def write(name):
    with open_journal(sys.argv[1]) as journal:
        for start in range(0, 1000, 50):
            rows = [prediction(f"S{i}", version=name) for i in range(start, start + 50)]
            with journal.begin() as connection:
                assert len(record(connection, rows)) == 50

threads = [Thread(target=write, args=(f"writer {sys.argv[3]} {i}",)) for i in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def test_eight_writers_write_a_thousand_rows_each(journal, journal_url):
    """Two processes with four threads each, in 160 transactions."""
    command = [sys.executable, "-c", WRITER, journal_url, str(Path(__file__).parent)]
    writers = [subprocess.Popen([*command, str(i)], stderr=subprocess.PIPE, text=True) for i in range(2)]
    problems = [writer.communicate(timeout=BOUND_S)[1] for writer in writers]
    assert not any(problems), problems
    assert stored_count(journal) == 8000


def test_sqlite_takes_five_thousand_rows_a_second(sqlite_template, tmp_path, make_prediction):
    shutil.copyfile(sqlite_template, tmp_path / "journal.db")
    rows = [make_prediction(f"S{i % 500}", day=i // 500) for i in range(10_000)]
    with open_journal(f"sqlite:///{tmp_path / 'journal.db'}") as journal:
        thousands = iter([rows[start : start + 1000] for start in range(0, len(rows), 1000)])

        def record_thousand() -> None:
            with journal.begin() as connection:
                record(connection, next(thousands))

        assert_fast(record_thousand, 0.2)


def test_the_frame_has_the_columns_of_test_tables(journal, make_prediction):
    with journal.begin() as connection:
        record(connection, [make_prediction("BBB"), make_prediction("AAA"), make_prediction("AAA", "volatility")])
        record(connection, as_shadow([make_prediction("CCC", version="v2")]))
    with journal.connect() as connection:
        direction = read_predictions(connection, "direction")
        volatility = read_predictions(connection, "volatility")
        shadows = read_predictions(connection, "direction", shadows=True)
        nothing = read_predictions(connection, "volatility", symbols=["BBB"])
        both = read_predictions(connection, "direction", shadows=None, versions=["v1", "v2"])
    assert direction["symbol"].tolist() == ["AAA", "BBB"] and shadows["symbol"].tolist() == ["CCC"] and len(both) == 3
    assert direction["date"].tolist() == [np.datetime64("2026-01-05")] * 2
    probabilities = ["p_down", "p_sideways", "p_up", "p_down_prior", "p_sideways_prior", "p_up_logistic"]
    assert direction[probabilities].iloc[0].tolist() == [0.3, 0.3, 0.4, 0.25, 0.5, 0.35]
    assert direction["label"].tolist() == [-1, -1] and direction["target"].isna().all()
    variances = ["forecast", "low", "high", "forecast_log_har", "forecast_ewma"]
    assert volatility[variances].iloc[0].tolist() == [1e-4, 5e-5, 2e-4, 1.1e-4, 1.2e-4]
    assert len(nothing) == 0 and set(nothing.columns) >= {"symbol", "date", "forecast", "target"}


def test_the_frame_can_be_limited_to_a_time(journal, make_prediction):
    rows = [make_prediction(day=day) for day in range(5)]
    with journal.begin() as connection:
        record(connection, rows)
    with journal.connect() as connection:
        part = read_predictions(connection, "direction", since=rows[1].bar_close, until=rows[3].bar_close)
        assert len(part) == 3
    with pytest.raises(ConfigError, match="no time zone"), journal.connect() as connection:
        read_predictions(connection, "direction", since=datetime(2026, 1, 5))


def test_strategies_read_the_first_prediction_of_a_bar(journal, make_prediction):
    dates = np.arange("2025-09-01", "2026-02-01", dtype="datetime64[D]").astype("datetime64[ns]")
    prices = 100.0 * np.exp(0.01 * np.sin(np.arange(len(dates))))
    volume = np.full(len(dates), 1e6)
    bars = [SymbolBars(s, dates, prices, prices, prices, prices, volume, False, True) for s in ("AAA", "BBB")]
    rows = [
        make_prediction(s, kind, day) for s in ("AAA", "BBB") for kind in ("direction", "volatility") for day in (0, 1)
    ]
    newer = replace(rows[0], version="v2", made_at=rows[0].made_at + timedelta(hours=1), p_up=0.6, p_down=0.1)
    with journal.begin() as connection:
        record(connection, [newer, *rows])
    with journal.connect() as connection:
        direction = one_a_bar(read_predictions(connection, "direction"))
        volatility = one_a_bar(read_predictions(connection, "volatility"))
    view = read_view(read_market(bars), direction, volatility)
    assert np.isfinite(view.probabilities).all(axis=-1).sum() == 4 and np.isfinite(view.variance).sum() == 4
    place = view.dates.astype("datetime64[D]").tolist().index(np.datetime64("2026-01-05").item())
    assert view.probabilities[place, 0].tolist() == [0.3, 0.3, 0.4] and view.variance_high[place, 1] == 2e-4


def test_a_bar_that_its_source_dates_otherwise_has_one_prediction(journal, make_prediction):
    first = make_prediction()
    other = replace(first, bar_date=first.bar_date + timedelta(hours=5), p_up=0.5, p_down=0.2)
    with journal.begin() as connection:
        record(connection, [first])
        (found,) = record(connection, [other])
    assert (found.bar_date, found.p_up) == (other.bar_date, first.p_up)


def test_two_processes_that_record_the_same_rows_in_other_orders_do_not_end_in_a_deadlock(journal, make_prediction):
    rows, ready = [make_prediction(f"S{i}") for i in range(200)], threading.Barrier(2, timeout=BOUND_S)

    def write(order):
        for day in range(3):
            part = [replace(row, version=f"v{day}") for row in order]
            ready.wait()
            with journal.begin() as connection:
                record(connection, part)
                assert not count_served(connection, {one.id: Served(1, one.made_at, one.made_at) for one in part})

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(write, order) for order in (rows, rows[::-1])]:
            done.result()
    with journal.connect() as connection:
        assert connection.scalar(select(func.sum(predictions.c.times_served))) == 1200


def test_counts_of_predictions_without_a_row_are_returned(journal, make_prediction):
    known, lost = make_prediction("AAA"), make_prediction("BBB")
    times = {one.id: Served(2, one.made_at, one.made_at) for one in (known, lost)}
    with journal.begin() as connection:
        record(connection, [known])
        assert count_served(connection, times) == {lost.id} and not count_served(connection, {})
