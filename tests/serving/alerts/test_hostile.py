"""Clocks that are set back, texts that look like markup, and thousands of alerts in one scan."""

from itertools import pairwise

import pytest

pytestmark = pytest.mark.slow


def test_a_service_that_fails_is_not_asked_more_often_after_the_clock_was_set_back(desk, clock, telegram_standin):
    desk.raise_(desk.alert())
    desk.deliver()
    clock.forward(days=-1)
    telegram_standin.script = [500] * 100
    desk.raise_(desk.alert(key="volatility"))
    for _ in range(10):
        desk.deliver(budget_s=20)
        clock.forward(seconds=40)
    waits = [(b.at - a.at).total_seconds() for a, b in pairwise(telegram_standin.received[1:])]
    assert waits == sorted(waits) and waits[0] >= 5.0 and waits[-1] >= 160.0
    telegram_standin.script.clear()
    clock.forward(minutes=11)
    desk.deliver()
    assert desk.states() == ["sent", "sent"]


def test_texts_are_sent_as_they_are_whatever_they_look_like(desk, telegram_standin):
    symbols = [
        "<img src=x onerror=alert(1)>",
        "*BOLD*_x_`y`",
        "../../etc/passwd",
        "quo\"te's",
        "two\nlines",
        "🚀\u202e",
    ]
    desk.raise_(*(desk.alert("dead_data", one, f"{one}: no bars") for one in symbols))
    desk.deliver()
    (text,) = telegram_standin.texts
    body = telegram_standin.received[0].body
    assert "parse_mode" not in body and "entities" not in body, "Telegram reads no markup then"
    assert all(one in text for one in symbols[:4]) and "two lines: no bars" in text and "\u202e" not in text
    assert desk.states() == ["sent"] * 6


def test_thousands_of_signals_are_few_messages_and_none_is_lost(desk, telegram_standin):
    desk.raise_(*(desk.alert("signal", f"S{i}", f"buy S{i}: 0.0% to 1.0% of equity") for i in range(5_200)))
    desk.deliver(budget_s=60)
    assert len(telegram_standin.received) == 2
    assert "(5,000)" in telegram_standin.texts[0] and "(200)" in telegram_standin.texts[1]
    assert set(desk.states()) == {"sent"} and len(desk.states()) == 5_200
