"""Decisions: what is reported, and when the next message may be sent."""

from datetime import UTC, datetime, timedelta

import pytest

from configs.alerts import EventsConfig
from configs.schema import Config
from serving.alerts import EVENTS
from serving.alerts.policy import History, Lasting, backoff_s, mode_of, next_attempt, phase_of
from serving.alerts.signals import signal_alerts

NOW = datetime(2026, 1, 2, 21, tzinfo=UTC)
DAY = timedelta(days=1)


def before(*seconds):
    return [NOW - timedelta(seconds=one) for one in seconds]


def test_every_event_has_a_setting():
    assert list(EventsConfig.model_fields) == list(EVENTS)
    assert "alerts" not in Config().of_models()


@pytest.mark.parametrize(
    ("at", "severity", "last", "phase"),
    [
        (NOW, "info", None, "raised"),
        (NOW + DAY, "warning", Lasting(NOW, "warning"), "repeated"),
        (NOW + DAY * 0.99, "warning", Lasting(NOW, "warning"), None),
        (NOW + DAY * 0.01, "critical", Lasting(NOW, "warning"), "raised"),
        (NOW - DAY * 9, "critical", Lasting(NOW, "warning"), None),
    ],
)
def test_when_a_condition_is_reported(at, severity, last, phase):
    assert phase_of(at, severity, last, DAY) == phase


def test_modes():
    events = EventsConfig(signal="off", drift="silent")
    assert [mode_of(name, "warning", "info", events) for name in ("signal", "drift", "skill")] == [
        "off",
        "silent",
        "on",
    ]
    assert mode_of("skill", "warning", "critical", events) == "off"


@pytest.mark.parametrize(
    ("history", "pace", "wait_s"),
    [
        (History(), ((1, 1.0),), 0),
        (History(before(0.25)), ((1, 1.0),), 0.75),
        (History(before(*range(20))), ((1, 1.0), (20, 60.0)), 41),
        (History(before(*range(1, 20))), ((1, 1.0), (20, 60.0)), 0),
        (History(before(2), failures=1), (), 3),
        (History(before(2), failures=50), (), 598),
        (History(before(-500)), ((1, 1.0),), 0),
        (History(before(2), 1, NOW + timedelta(seconds=30)), (), 30),
        (History(before(9), 1, NOW + DAY * 2), (), 0),
    ],
)
def test_when_the_next_message_may_be_sent(history, pace, wait_s):
    assert (next_attempt(NOW, history, pace) - NOW).total_seconds() == pytest.approx(wait_s)


def test_backoff_grows_to_ten_minutes():
    assert [backoff_s(n) for n in (0, 1, 2, 3, 8, 10_000)] == [0, 5, 10, 20, 600, 600]


def test_a_signal_is_significant_if_it_changes_a_position():
    def signal(symbol, action, size):
        facts = {"direction": "up", "confidence": 0.47, "volatility": 0.21, "stop": 95.466}
        return {"symbol": symbol, "action": action, "position_size": size} | facts

    signals = [signal("A", "buy", 0.08), signal("B", "buy", 0.011), signal("C", "hold", 0.08), signal("D", "sell", 0.0)]
    found = signal_alerts("bot", signals, {"D": 0.05}, NOW, 0.02)
    assert [one.title for one in found] == [
        "buy A: 0.0% to 8.0% of equity (up 47%, volatility 21%, stop 95.466)",
        "sell D: 5.0% to 0.0% of equity (up 47%, volatility 21%, stop 95.466)",
    ]


def test_an_order_that_waits_is_reported_once():
    signals = [{"symbol": "A", "action": "buy", "position_size": 0.08}]
    assert [one.title for one in signal_alerts("bot", signals, {}, NOW, 0.02, {})] == ["buy A: 0.0% to 8.0% of equity"]
    assert signal_alerts("bot", signals, {}, NOW, 0.02, {"A": 0.081}) == []
    assert len(signal_alerts("bot", signals, {}, NOW, 0.02, {"A": 0.02})) == 1
