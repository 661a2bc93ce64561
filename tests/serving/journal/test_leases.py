"""Leases: one holder at a time, and a former holder's transaction is refused."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, select
from waiting import BOUND_S

from configs import ConfigError, LeaseLostError
from serving.journal import open_journal
from serving.journal.leases import acquire
from serving.journal.schema import accounts


class Clock:
    def __init__(self):
        self.now = datetime(2026, 1, 2, 21, tzinfo=UTC)

    def __call__(self):
        return self.now

    def forward(self, seconds):
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock():
    return Clock()


def account(instant):
    numbers = dict.fromkeys(("cash", "equity", "gross", "net", "drawdown"), 0.0)
    return {"bot": "b", "instant": instant, **numbers}


def test_one_holder_until_it_expires(journal, clock):
    first = acquire(journal, "leader", holder="one", term_s=10, clock=clock)
    assert first is not None and acquire(journal, "leader", holder="two", term_s=10, clock=clock) is None
    clock.forward(9)
    assert first.renew() and acquire(journal, "leader", holder="two", clock=clock) is None
    clock.forward(10)
    second = acquire(journal, "leader", holder="two", term_s=10, clock=clock)
    assert second is not None and second.token == first.token + 1
    assert not first.renew() and second.renew()


def test_a_holder_that_asks_again_keeps_its_token_and_a_free_lease_gets_a_new_one(journal, clock):
    first = acquire(journal, "leader", holder="one", clock=clock)
    again = acquire(journal, "leader", holder="one", clock=clock)
    assert again.token == first.token
    first.release()
    second = acquire(journal, "leader", holder="two", clock=clock)
    assert second.token == first.token + 1
    first.release()  # no longer its own
    assert second.renew()


def test_what_a_paused_former_holder_writes_is_refused(journal, clock):
    first = acquire(journal, "leader", holder="one", term_s=10, clock=clock)
    clock.forward(11)
    with journal.begin() as connection:  # expired, but not taken over: still the newest token
        first.guard(connection)
    second = acquire(journal, "leader", holder="two", term_s=10, clock=clock)
    with pytest.raises(LeaseLostError, match="taken over"), journal.begin() as connection:
        connection.execute(insert(accounts), account(clock.now))
        first.guard(connection)
    with journal.begin() as connection:
        second.guard(connection)
        assert connection.execute(select(accounts)).all() == []


def test_a_takeover_waits_for_the_transaction_that_has_passed_the_guard(journal, journal_url, clock):
    first = acquire(journal, "leader", holder="one", term_s=1, clock=clock)
    clock.forward(2)
    found, started = [], threading.Event()

    def take():
        with open_journal(journal_url) as other:
            started.set()
            found.append(acquire(other, "leader", holder="two", clock=clock))

    thread = threading.Thread(target=take)
    with journal.begin() as connection:
        first.guard(connection)
        thread.start()
        assert started.wait(BOUND_S)
        thread.join(0.3)
        assert not found  # it waits
        connection.execute(insert(accounts), account(clock.now))
    thread.join(BOUND_S)
    assert found[0].token == first.token + 1


def test_of_many_that_ask_at_the_same_time_one_gets_it(journal):
    found = []
    threads = [
        threading.Thread(target=lambda i=i: found.append(acquire(journal, "leader", holder=f"host {i}")))
        for i in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(BOUND_S)
    held = [lease for lease in found if lease is not None]
    assert len(found) == 8 and len(held) == 1 and held[0].token == 1


@pytest.mark.parametrize("term_s", [0.0, -1.0, float("nan"), 1e9])
def test_a_term_out_of_range_is_refused(journal, term_s):
    with pytest.raises(ConfigError, match="term"):
        acquire(journal, "leader", term_s=term_s)


@pytest.mark.parametrize("back_h", [2, 24, 24 * 365])
def test_a_lease_of_before_the_clock_was_set_back_is_free_and_its_holder_writes_nothing(journal, clock, back_h):
    first = acquire(journal, "leader", holder="one", term_s=30, clock=clock)
    clock.forward(-3600 * back_h)
    second = acquire(journal, "leader", holder="two", term_s=30, clock=clock)
    assert second is not None and second.token == first.token + 1
    assert acquire(journal, "leader", holder="three", term_s=30, clock=clock) is None
    with pytest.raises(LeaseLostError), journal.begin() as connection:
        first.guard(connection)
