"""The bot on a lake that grows: signals, paper trades, protections, restarts, and what it refuses."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from configs.errors import ClusterError, ConfigError
from configs.schema import Config
from serving import MLPredictionBot
from serving.bot.leader import lease_name
from serving.bot.status import bot_status
from serving.journal.leases import acquire
from serving.journal.schema import accounts, alerts, fills, orders, outcomes, predictions, steps

pytestmark = pytest.mark.slow

SYMBOLS = ("AAA", "BBB", "CCC", "DDD", "EEE")


def count(bot, table) -> int:
    with bot.journal.connect() as connection:
        return len(connection.execute(select(table)).all())


def test_a_scan_returns_signals_once_a_bar(make_bot, grow):
    bot = make_bot()
    signals = bot.run_scan()
    assert [signal["symbol"] for signal in signals] == list(SYMBOLS)
    assert {signal["action"] for signal in signals} <= {"buy", "sell", "none"}
    assert all(0.0 < signal["confidence"] < 1.0 for signal in signals if signal["confidence"] is not None)
    assert count(bot, predictions) == 10
    assert bot.scan_summary.startswith("1 step to 20")
    assert bot.run_scan() == signals and bot.scan_summary.startswith("0 steps")
    assert (count(bot, predictions), count(bot, steps)) == (10, 1)
    grow(481)
    assert [one["symbol"] for one in bot.status().orders] == [
        one["symbol"] for one in signals if one["action"] == "buy"
    ]
    bot.run_scan()
    assert (count(bot, predictions), count(bot, steps), count(bot, accounts)) == (20, 2, 2)
    assert count(bot, fills) > 0
    status = bot.status()
    profit = sum(one["realised_pnl"] + one["unrealised_pnl"] - one["costs"] for one in status.positions)
    cash = bot.config.backtest.cash
    assert profit - status.interest == pytest.approx(status.account["equity"] - cash, abs=0.004)


def test_a_restarted_bot_goes_on_like_one_that_was_never_stopped(make_bot, grow, store):
    one, other = make_bot(name="one"), make_bot(name="other")
    for bars in range(480, 485):
        grow(bars)
        one.run_scan()
        make_bot(name="other").run_scan()
    rows = {}
    with one.journal.connect() as connection:
        for name in ("one", "other"):
            own = select(accounts).where(accounts.c.bot == name).order_by("instant")
            rows[name] = [row[1:] for row in connection.execute(own)]
    assert rows["one"] == rows["other"] and len(rows["one"]) == 5
    assert other.status().account["equity"] == one.status().account["equity"]


def test_a_bot_that_was_off_makes_the_steps_of_all_days(make_bot, grow):
    bot = make_bot()
    bot.run_scan()
    grow(484)
    bot.run_scan()
    assert count(bot, steps) == 5


def test_a_late_symbol_is_waited_for_and_then_left_out(make_bot, grow, clock, bars_of):
    bot = make_bot()
    bot.run_scan()
    grow(481, without=("CCC",))
    bot.run_scan()
    assert count(bot, steps) == 1
    clock.to(bars_of("AAA", 481), hours=1)
    bot.run_scan()
    assert (count(bot, steps), count(bot, predictions)) == (2, 10 + 8)
    with bot.journal.connect() as connection:
        notes = connection.execute(select(steps.c.notes).order_by(steps.c.instant.desc())).scalars().first()
    assert list(notes["late"]) == ["CCC"]


def test_outcomes_and_status(make_bot, grow):
    bot = make_bot()
    bot.run_scan()
    grow(481)
    ended = bot.run_once([spec for name, spec in _tasks().items() if name in ("scan", "outcomes", "heartbeat")])
    assert [one.failed for one in ended] == [False] * 3
    assert count(bot, outcomes) == 5  # direction one bar ahead; volatility needs five
    status = bot.status()
    assert status.problems == ("no process runs bot paper",)
    assert status.silent_periods == 0 and len(status.signals) == 5
    assert (status.schedule, status.scan_period_s, status.stopped_at) == (None, 86_400.0, None), "runs from outside"
    late = bot_status(bot.journal, "paper", status.at + timedelta(days=2))
    assert "no scan for 2 periods" in late.problems[1]


def test_dead_data_and_the_kill_switch_are_reported(make_bot, grow, store):
    bot = make_bot()
    bot.run_scan()
    open(f"{store.root}/kill-switch", "w").close()
    grow(486, without=("DDD",))
    bot.run_scan()
    found = {(one["event"], one["key"]) for one in bot.status().alerts}
    assert ("dead_data", "DDD") in found
    assert any(event == "protection" for event, _ in found)
    with bot.journal.connect() as connection:
        newest = connection.execute(select(orders.c.quantity).where(orders.c.bar_close == bot.status().step)).all()
    assert newest == []


def test_dead_data_is_reported_again_after_the_hours_of_the_settings(store, bars_of, clock):
    """Scans that make no step, because all symbols are stale."""
    config = Config.model_validate({"alerts": {"repeat_hours": 2.0}})
    with MLPredictionBot(config=config, store=store, clock=clock) as bot:
        bot.run_scan()
        clock.to(bars_of("AAA", 480), days=30)
        for _ in range(5):
            bot.run_scan()
            clock.now += timedelta(hours=1)
        with bot.journal.connect() as connection:
            dead = select(alerts.c.phase).where(alerts.c.event == "dead_data", alerts.c.key == "AAA")
            found = connection.execute(dead.order_by("created_at")).scalars().all()
    assert found == ["raised", "repeated", "repeated"]


def test_what_a_bot_refuses(make_bot, store):
    with pytest.raises(ConfigError, match="there is no broker"):
        MLPredictionBot(paper_mode=False, store=store)
    with pytest.raises(ConfigError, match=r"no task 'scna'. Did you mean 'scan'"):
        make_bot(schedules={"scna": "every 10m"})
    with pytest.raises(ConfigError, match=r"bot.schedules.scan: schedule 'sometimes' is not understood"):
        make_bot(schedules={"scan": "sometimes"})
    bot = make_bot()
    acquire(bot.journal, lease_name("paper"), term_s=60.0)
    with pytest.raises(ClusterError, match="another process runs bot paper"):
        bot.run_scan()


def _tasks():
    from serving.bot.catalog import catalog

    return catalog()
