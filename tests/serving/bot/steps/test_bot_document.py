"""The document of a journal's bots: what the bot wrote, of bounded size."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import insert, select, update

from serving.alerts.events import Alert
from serving.alerts.outbox import raise_alerts
from serving.bot import bot_document
from serving.bot.bot_document import read_bots
from serving.bot.leader import lease_name
from serving.bot.runs import record_end, record_start
from serving.bot.schedule import Due
from serving.bot.step_writer import write_step
from serving.journal.leases import acquire
from serving.journal.schema import accounts, fills, orders, positions, retrainings, shadows, signals

pytestmark = pytest.mark.slow

STEPS = 12


@pytest.fixture
def now(bot_of, journal):
    """The time after some steps of a bot, a scan that ended well and an alert."""
    results = bot_of(1).run(stop=95 + STEPS)
    at = results[-1].instant + timedelta(minutes=1)
    lease = acquire(journal, lease_name("paper"), term_s=3600.0, clock=lambda: at)
    for result in results:
        assert write_step(journal, lease, result)
    record_start(journal, lease, "paper", "scan", Due(at, 0), at)
    record_end(journal, lease, "paper", "scan", Due(at, 0), at)
    with journal.begin() as connection:
        raise_alerts(connection, [Alert("paper", "dead_data", "S1", at, "S1: no bars", "since a week")], timedelta(1))
    return at + timedelta(minutes=5)


def rows(journal, table, instant):
    with journal.connect() as connection:
        own = select(table).where(table.c.bot == "paper", instant).order_by(*table.primary_key.columns)
        return [dict(row) for row in connection.execute(own).mappings()]


def test_a_journal_without_bots_has_none(journal):
    found = read_bots(journal, journal_now(journal))
    assert found["bots"] == found["shadows"] == found["retrainings"] == [] and found["bots_count"] == 0


def journal_now(journal):
    with journal.connect() as connection:
        return journal.now(connection)


def test_the_rows_of_the_newest_step_are_shown(journal, now):
    found = read_bots(journal, now)
    json.dumps(found, allow_nan=False)
    (bot,) = found["bots"]
    assert (bot["bot"], bot["healthy"], bot["silent_periods"], bot["scan_period_s"]) == ("paper", True, 0, 600.0)
    equity = rows(journal, accounts, accounts.c.instant <= now)
    assert bot["series"]["equity"] == [row["equity"] for row in equity] and len(equity) == STEPS
    assert bot["account"]["equity"] == equity[-1]["equity"] and bot["began"]["equity"] == equity[0]["equity"]
    newest = equity[-1]["instant"]
    assert bot["step"]["instant"] == newest.isoformat()
    held = {row["symbol"]: row for row in rows(journal, positions, positions.c.instant == newest)}
    assert {row["symbol"]: row["realised_pnl"] for row in bot["positions"]} == {
        symbol: row["realised_pnl"] for symbol, row in held.items()
    }
    wanted = rows(journal, signals, signals.c.bar_close == newest)
    assert {row["symbol"]: row["reasons"] for row in bot["signals"]} == {
        row["symbol"]: row["reasons"] for row in wanted
    }
    order = [row["action"] in ("buy", "sell") for row in bot["signals"]]
    assert order == sorted(order, reverse=True), "orders come first"
    assert [(one["event"], one["title"]) for one in bot["alerts"]] == [("dead_data", "S1: no bars")]
    assert [one["task"] for one in bot["tasks"]] == ["scan"]


def test_orders_that_wait_are_shown_with_what_is_left_of_them(journal, now):
    with journal.begin() as connection:
        open_ = select(orders).where(orders.c.state.in_(("open", "part"))).order_by(orders.c.symbol)
        waiting = connection.execute(open_).all()
        part = waiting[0]
        connection.execute(update(orders).where(orders.c.id == part.id).values(state="part"))
        costs = dict.fromkeys(("price", "spread", "slippage", "impact", "commission"), 1.0)
        fill = {"id": "f" * 32, "order_id": part.id, "quantity": part.quantity / 4.0, **costs}
        where = {name: getattr(part, name) for name in ("bot", "symbol", "bar_date", "bar_close")}
        connection.execute(insert(fills), {**fill, **where})
    (bot,) = read_bots(journal, now)["bots"]
    assert bot["orders_count"] == len(waiting) > 1
    assert [(one["symbol"], one["side"], one["quantity"], one["is_partly_filled"]) for one in bot["orders"]] == [
        (
            row.symbol,
            "buy" if row.quantity > 0 else "sell",
            abs(row.quantity) * (0.75 if row.id == part.id else 1.0),
            row.id == part.id,
        )
        for row in waiting
    ]
    assert {one["fills_at"] for one in bot["orders"]} == {"open"}
    assert [one["decided_at"] for one in bot["orders"]] == [row.bar_close.isoformat() for row in waiting]


def test_a_bot_without_a_scan_for_two_periods_is_not_healthy(journal, now):
    (bot,) = read_bots(journal, now + timedelta(minutes=20))["bots"]
    assert not bot["healthy"] and bot["silent_periods"] == 2
    assert "no scan for 2 periods" in bot["problems"][0]


def test_long_lists_are_cut_and_counted(journal, now, monkeypatch):
    for name, most in (("_ROWS", 2), ("_STEPS", 5), ("_ALERTS", 0), ("_BOTS", 1)):
        monkeypatch.setattr(bot_document, name, most)
    acquire(journal, lease_name("other"), term_s=1.0, clock=lambda: now)
    found = read_bots(journal, now)
    (bot,) = found["bots"]
    assert found["bots_count"] == 2 and bot["bot"] == "paper", "the newest lease comes first"
    assert (len(bot["signals"]), bot["signals_count"]) == (2, 5)
    assert (len(bot["alerts"]), bot["alerts_count"]) == (0, 1)
    assert len(bot["series"]["equity"]) == 5 and bot["series"]["instant"][-1] == bot["step"]["instant"]


def test_trials_of_versions_and_trainings_are_shown(journal, now):
    trial = {"kind": "direction", "shadow": "old", "since": now, "champion": "new", "log_e": 0.5, "n_days": 3}
    over = {**trial, "shadow": "older", "since": now + timedelta(1), "ended_at": now + timedelta(2), "verdict": "kept"}
    training = {"id": "0" * 32, "kind": "direction", "reason": "age", "started_at": now, "error": "x" * 5000}
    with journal.begin() as connection:
        for row in (trial, over):
            connection.execute(insert(shadows), row)
        connection.execute(insert(retrainings), {**training, "symbols": 3})
    found = read_bots(journal, now)
    assert [one["shadow"] for one in found["shadows"]] == ["old", "older"], "those on trial first"
    (one,) = found["retrainings"]
    assert one["finished_at"] is None and len(one["error"]) == 2000
