"""Steps in the journal, on both engines: all rows or none, once, and by the leader only."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import delete, func, select, text

from configs.errors import BotError, LeaseLostError
from serving.bot.state import BotState
from serving.bot.step_writer import read_state, write_step
from serving.journal.leases import acquire
from serving.journal.schema import accounts, fills, orders, positions, signals, steps

pytestmark = pytest.mark.slow

TABLES = (steps, signals, orders, fills, positions, accounts)
TIMES = {"started_at", "finished_at"}


def content(journal):
    """Return the rows of all tables of steps, without the times at which they were written."""
    found = {}
    with journal.connect() as connection:
        for table in TABLES:
            rows = connection.execute(select(table).order_by(*table.primary_key.columns)).mappings()
            found[table.name] = [{name: value for name, value in row.items() if name not in TIMES} for row in rows]
    return found


def test_a_bot_that_starts_again_at_every_step_leaves_the_same_rows(bot_of, journal):
    options = {"stops": True, "backtest": {"costs": {"participation_cap": 0.001}}}
    bot, again = bot_of(1, "relative_rank", **options), bot_of(1, "relative_rank", **options)
    lease = acquire(journal, "paper")
    for row in range(95, 107):
        again.state, again.record = read_state(journal, "paper"), None
        assert (again.state is None) == (row == 95)
        result = again.step(row)
        assert write_step(journal, lease, result)
        assert not write_step(journal, lease, result), "it is there already"
        if row == 106:
            with journal.connect() as connection:
                kept = connection.execute(select(func.count()).where(steps.c.state.is_not(None))).scalar_one()
            assert kept == 1
    once = content(journal)
    assert once["fills"] and {row["state"] for row in once["orders"]} >= {"filled", "cancelled"}
    with journal.begin() as connection:
        for table in (fills, orders, signals, positions, accounts, steps):
            connection.execute(table.delete())
    for result in bot.run(stop=107):
        assert write_step(journal, lease, result)
    assert content(journal) == once


def test_what_is_read_is_what_was_written(bot_of, journal):
    bot = bot_of(2, stops=True)
    (result, *_) = reversed(bot.run(stop=105))
    assert read_state(journal, "paper") is None
    write_step(journal, acquire(journal, "paper"), result)
    stored = read_state(journal, "paper")
    assert isinstance(stored, BotState) and stored.as_json() == result.state.as_json()
    for name, values in result.state.numbers.items():
        np.testing.assert_array_equal(stored.numbers[name], values, err_msg=name)
    assert read_state(journal, "other") is None


def test_a_former_leader_writes_nothing(bot_of, journal):
    (result,) = bot_of(0).run(stop=96)
    old = acquire(journal, "paper", holder="old")
    old.release()
    acquire(journal, "paper", holder="new")
    with pytest.raises(LeaseLostError, match="taken over"):
        write_step(journal, old, result)
    assert not any(content(journal).values())


def test_alerts_are_written_with_the_step_or_nothing_is(bot_of, journal):
    bot = bot_of(0)
    (result,) = bot.run(stop=96, kill_switch="")
    lease, given = acquire(journal, "paper"), []

    def fail(connection, step, alerts):
        assert connection.execute(text("SELECT count(*) FROM steps")).scalar_one() == 1
        raise RuntimeError("no alert")

    with pytest.raises(RuntimeError, match="no alert"):
        write_step(journal, lease, result, fail)
    assert not any(content(journal).values())
    assert write_step(journal, lease, result, lambda *args: given.append(args[1:]))
    assert given == [(result, result.alerts)] and result.alerts[0].key == "kill_switch"


def test_a_bot_whose_newest_steps_were_deleted_does_not_begin_with_new_money(bot_of, journal):
    lease, results = acquire(journal, "bot:paper"), bot_of(0).run(stop=98)
    for result in results:
        write_step(journal, lease, result)
    with journal.begin() as connection:
        connection.execute(delete(steps).where(steps.c.instant == results[-1].instant))
    with pytest.raises(BotError, match=r"has no state to go on from: steps after it were deleted\. Restore"):
        read_state(journal, "paper")


def test_a_step_ends_after_its_forecasts_though_the_clock_was_set_back(bot_of, journal):
    (result,) = bot_of(0).run(stop=96)
    later = datetime.now(UTC) + timedelta(hours=3)
    write_step(journal, acquire(journal, "bot:paper"), result, not_before=later)
    with journal.connect() as connection:
        assert connection.execute(select(steps.c.finished_at)).scalar_one() == later
