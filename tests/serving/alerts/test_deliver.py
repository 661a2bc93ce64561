"""Delivery: nothing is lost and nothing sent twice, whatever the service does and wherever the process ends."""

import re
import socket
from datetime import timedelta
from itertools import pairwise

import pytest

from serving.alerts.channels import Channels, open_channels
from serving.alerts.deliver import deliver
from serving.alerts.deliveries import claim, route
from serving.alerts.messages import utf16_length
from serving.journal.leases import acquire
from serving.journal.schema import deliveries

pytestmark = pytest.mark.slow

SCANS = 24  # an hour apart


def test_after_429_nothing_for_three_seconds_then_exactly_one(desk, clock, telegram_standin):
    """Known answer 11."""
    telegram_standin.script = [(429, {"retry_after": 3})]
    desk.raise_(desk.alert())
    began = clock()
    desk.deliver(budget_s=2.5)
    desk.raise_(desk.alert(key="volatility"))
    desk.deliver(budget_s=60)
    desk.deliver(budget_s=60)
    first, *others = telegram_standin.received
    assert first.at == began and all(one.at - began >= timedelta(seconds=3) for one in others)
    assert sum("direction" in text or "came back" in text for text in telegram_standin.texts[1:]) == len(others)
    assert desk.states() == ["sent", "sent"]


def test_a_429_is_followed_by_one_message(desk, clock, telegram_standin):
    telegram_standin.script = [(429, {"retry_after": 3})]
    desk.raise_(desk.alert())
    began = clock()
    assert desk.deliver(budget_s=60)["telegram"].sent == 1
    assert [(one.at - began).total_seconds() >= 3 for one in telegram_standin.received] == [False, True]
    assert desk.deliver(budget_s=60)["telegram"].sent == 0


@pytest.mark.parametrize("act", ["stall", "break", "not JSON"])
def test_what_was_read_and_not_answered_is_unknown_and_not_sent_again(desk, clock, telegram_standin, act):
    """Known answer 12."""
    telegram_standin.script = [act]
    (identifier,) = desk.raise_(desk.alert())
    desk.deliver(budget_s=60)
    clock.forward(hours=2)
    desk.deliver(budget_s=60)
    assert desk.states() == ["unknown"] and len(telegram_standin.received) == 1
    assert f"id {identifier}" in telegram_standin.texts[0]
    desk.raise_(desk.alert(key="volatility", title="another"))
    desk.deliver(budget_s=60)
    assert len(telegram_standin.received) == 2
    assert "may be missing" in telegram_standin.texts[1] and identifier[:8] in telegram_standin.texts[1]
    clock.forward(hours=1)
    desk.raise_(desk.alert(key="third", title="a third"))
    desk.deliver(budget_s=60)
    assert "may be missing" not in telegram_standin.texts[2], "it is mentioned once"


def test_500_symbols_are_one_message_then_silent_then_repeated_then_one_resolved(desk, clock, telegram_standin):
    """Known answer 13."""
    from serving.alerts import settle

    symbols = [f"SYM{number:03d}" for number in range(500)]

    def scan(drifting):
        found = [desk.alert("drift", name, f"{name}: PSI 0.31, above 0.24 📈") for name in drifting]
        with desk.journal.begin() as connection:
            settle(connection, "bot", "drift", found, clock())
        desk.deliver(budget_s=60)
        clock.forward(minutes=10)

    scan(symbols)
    assert len(telegram_standin.texts) == 1
    assert utf16_length(telegram_standin.texts[0]) <= 4096 and "Feature drift (500)" in telegram_standin.texts[0]
    shown = len(re.findall(r"^SYM", telegram_standin.texts[0], re.MULTILINE))
    assert shown > 50 and f"and {500 - shown} more" in telegram_standin.texts[0]
    for _ in range(3):
        scan(symbols)
    assert len(telegram_standin.texts) == 1, "unchanged is silent"
    clock.forward(hours=24)
    scan(symbols)
    assert len(telegram_standin.texts) == 2 and "Still: Feature drift (500)" in telegram_standin.texts[1]
    scan([])
    scan([])
    assert len(telegram_standin.texts) == 3 and "Resolved: Feature drift (500)" in telegram_standin.texts[2]
    assert "since 2026-01-02 21:00 UTC" in telegram_standin.texts[2]


def test_alerts_of_a_day_without_telegram_arrive_once_when_it_is_back(desk, clock, telegram_standin):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        down = f"http://127.0.0.1:{free.getsockname()[1]}"
    up = desk.settings
    desk.settings = up.model_copy(update={"telegram": up.telegram.model_copy(update={"base_url": down, "chat": "-42"})})
    for scan in range(SCANS):
        desk.raise_(desk.alert("signal", "AAPL", f"signal number {scan}"))
        found = desk.deliver()["telegram"]
        assert "cannot be reached" in found.error and found.sent == 0
        assert found.next_at == clock() + timedelta(seconds=min(5 * 2**scan, 600)), "it waits twice as long each time"
        clock.forward(minutes=60)
    assert not telegram_standin.received and set(desk.states()) == {"waiting"}
    desk.settings = up.model_copy(update={"telegram": up.telegram.model_copy(update={"chat": "-42"})})
    desk.deliver(budget_s=3600)
    numbers = [int(found) for text in telegram_standin.texts for found in re.findall(r"signal number (\d+)", text)]
    assert numbers == list(range(SCANS)) and set(desk.states()) == {"sent"}
    times = [one.at for one in telegram_standin.received]
    assert all(late - early >= timedelta(seconds=1) for early, late in pairwise(times))
    assert all(times[i + 20] - times[i] >= timedelta(seconds=60) for i in range(len(times) - 20))


def test_a_wrong_token_loses_nothing(desk, clock, telegram_standin, monkeypatch):
    token = "FLEETCAST_TELEGRAM_TOKEN"
    telegram_standin.script = [401, 401]
    desk.raise_(desk.alert())
    assert "refuses the token" in desk.deliver()["telegram"].error
    with monkeypatch.context() as patch:
        patch.delenv(token)
        assert token in desk.deliver()["telegram"].error
    clock.forward(minutes=11)
    desk.deliver(), clock.forward(minutes=11), desk.deliver()
    assert desk.states() == ["sent"] and len(telegram_standin.received) == 3


def test_an_alert_that_cannot_be_sent_for_too_long_is_given_up_and_counted(desk, clock, telegram_standin):
    telegram_standin.script = [500]
    desk.raise_(desk.alert())
    desk.deliver()
    clock.forward(hours=73)
    desk.deliver()
    assert desk.states() == ["failed"] and len(telegram_standin.received) == 1
    desk.raise_(desk.alert(key="volatility"))
    desk.deliver()
    assert "1 earlier alert could not be sent in time" in telegram_standin.texts[1]


def test_a_process_that_ends_while_it_sends_leaves_unknown(desk, clock, telegram_standin):
    """Killed before the POST or after it: the next process cannot tell, sends nothing, and says so later."""
    desk.raise_(desk.alert())
    channel = open_channels(desk.settings).usable["telegram"]
    lease = acquire(desk.journal, "alerts/telegram", clock=clock)
    with desk.journal.begin() as connection:
        route(connection, "bot", {"telegram": "info"}, desk.settings, clock())
        lease.guard(connection)
        assert claim(connection, "bot", channel, lease.token, desk.settings, clock()) is not None
    assert desk.states() == ["sending"]
    assert desk.deliver()["telegram"].error == "another process delivers through it"
    clock.forward(seconds=31)
    desk.deliver()
    assert desk.states() == ["unknown"] and not telegram_standin.received


def test_two_processes_send_each_message_once(desk, clock, telegram_standin):
    import threading

    for number in range(6):
        desk.raise_(desk.alert("signal", f"S{number}", f"signal {number}", at=clock() + timedelta(minutes=number)))
    unpaced = open_channels(desk.settings)
    unpaced.usable["telegram"].limits = type(unpaced.usable["telegram"].limits)(4096, ())

    def run():
        for _ in range(20):
            deliver(desk.journal, "bot", desk.settings, channels=unpaced, clock=clock, sleep=lambda s: None)

    threads = [threading.Thread(target=run) for _ in range(2)]
    [one.start() for one in threads], [one.join() for one in threads]
    assert sorted(re.findall(r"signal (\d)", " ".join(telegram_standin.texts))) == list("012345")


def test_off_silent_and_severity_decide_what_is_sent(desk, clock, telegram_standin):
    events = desk.settings.events.model_copy(update={"promotion": "off", "signal": "silent"})
    desk.settings = desk.settings.model_copy(update={"events": events})
    desk.raise_(desk.alert("promotion"), desk.alert("signal", at=clock() + timedelta(minutes=1)))
    desk.deliver(budget_s=10)
    assert sorted(desk.states()) == ["off", "sent"]
    assert [one.body["disable_notification"] for one in telegram_standin.received] == [True]
    critical = desk.settings.telegram.model_copy(update={"minimum": "critical"})
    desk.settings = desk.settings.model_copy(update={"telegram": critical})
    desk.raise_(desk.alert("signal", key="X"), desk.alert("rollback", key="X"))
    clock.forward(minutes=1)
    desk.deliver()
    assert [one.body["disable_notification"] for one in telegram_standin.received] == [True, False]


@pytest.mark.parametrize(("group_by", "messages"), [("scan", 1), ("event", 2), ("alert", 3)])
def test_alerts_of_a_scan_are_grouped(desk, clock, telegram_standin, group_by, messages):
    desk.settings = desk.settings.model_copy(update={"group_by": group_by})
    desk.raise_(desk.alert("rollback"), desk.alert("signal", "A", "buy A"), desk.alert("signal", "B", "sell B"))
    desk.deliver(budget_s=60)
    assert len(telegram_standin.texts) == messages
    for word in ("came back", "buy A", "sell B"):
        assert sum(word in text for text in telegram_standin.texts) == 1


def test_without_a_channel_alerts_stay_in_the_journal_and_are_not_sent_later(desk, clock, telegram_standin):
    desk.raise_(desk.alert())
    assert desk.deliver(channels=Channels({}, {}, {})) == {}
    desk.deliver()
    assert not telegram_standin.received and not desk.rows(deliveries)


def test_a_paused_former_deliverer_sends_nothing_more(desk, clock, telegram_standin):
    desk.raise_(desk.alert(), desk.alert("signal", "A", "later", at=clock() + timedelta(minutes=1)))

    def sleep_through_the_lease(seconds):
        clock.forward(hours=1)
        other = acquire(desk.journal, "alerts/telegram", clock=clock)
        assert other is not None and other.token > 1

    assert desk.deliver(budget_s=60, sleep=sleep_through_the_lease)["telegram"].error
    assert len(telegram_standin.received) == 1


def test_the_token_is_not_in_the_database(desk, clock, telegram_standin):
    from telegram_standin import TOKEN

    telegram_standin.script = [404, 500, "stall"]
    for number in range(3):
        desk.raise_(desk.alert(key=str(number)))
        desk.deliver()
        clock.forward(minutes=11)
    assert TOKEN.partition(":")[2] not in repr([tuple(row) for row in (*desk.rows(), *desk.rows(deliveries))])
