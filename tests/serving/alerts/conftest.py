"""A clock that only moves when something waits, and rows of deliveries."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from configs.alerts import AlertsConfig, TelegramConfig
from serving.alerts import Alert, raise_alerts
from serving.alerts.deliver import deliver
from serving.journal.schema import alerts, deliveries

START = datetime(2026, 1, 2, 21, tzinfo=UTC)


class Clock:
    def __init__(self):
        self.now = START

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        assert seconds >= 0
        self.now += timedelta(seconds=seconds)

    def forward(self, **time):
        self.now += timedelta(**time)


@pytest.fixture
def clock(telegram_standin):
    clock = Clock()
    telegram_standin.clock = clock
    return clock


@pytest.fixture
def settings(telegram_standin):
    return AlertsConfig(telegram=TelegramConfig(chat="42", base_url=telegram_standin.url, timeout_s=2.0))


class Desk:
    """A bot's alerts in a journal, and their delivery to the stand-in."""

    def __init__(self, journal, clock, settings):
        self.journal, self.clock, self.settings = journal, clock, settings

    def alert(self, event="rollback", key="direction", title="came back", **facts):
        return Alert("bot", event, key, facts.pop("at", self.clock()), title, **facts)

    def raise_(self, *found):
        with self.journal.begin() as connection:
            return raise_alerts(connection, found)

    def deliver(self, budget_s=0.0, **others):
        options = {"clock": self.clock, "sleep": self.clock.sleep, "budget_s": budget_s} | others
        return deliver(self.journal, "bot", self.settings, **options)

    def states(self):
        with self.journal.connect() as connection:
            return list(connection.execute(select(deliveries.c.state).order_by(deliveries.c.queued_at)).scalars())

    def rows(self, table=alerts):
        with self.journal.connect() as connection:
            return list(connection.execute(select(table)))


@pytest.fixture
def desk(journal, clock, settings):
    return Desk(journal, clock, settings)
