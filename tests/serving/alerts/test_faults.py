"""Random faults of the network, the service and the process: nothing is lost, and nothing is sent twice."""

import random
import re
from collections import Counter

import pytest
from sqlalchemy import select

from serving.alerts.channels import open_channels
from serving.journal.schema import alerts, deliveries

ACTS = (200, 200, 500, 502, 504, 401, 400, (429, {"retry_after": 7}), "break", "not JSON")
TAKEN = (200, 504, "break", "not JSON")  # the service may have delivered it


class Killed(BaseException):
    """The end of the process, before a message is sent or after."""


class Mortal:
    """A channel in a process that may end whenever it sends."""

    def __init__(self, channel, chance):
        self.channel, self.chance = channel, chance
        self.name, self.minimum, self.limits = channel.name, channel.minimum, channel.limits

    def send(self, message):
        if self.chance.random() < 0.1:
            raise Killed
        receipt = self.channel.send(message)
        if self.chance.random() < 0.1:
            raise Killed
        return receipt


@pytest.mark.parametrize("seed", range(3))
def test_every_alert_arrives_once_or_is_known_to_be_uncertain(desk, clock, telegram_standin, seed):
    chance = random.Random(seed)
    telegram_standin.script = [chance.choice(ACTS) for _ in range(200)]
    found = open_channels(desk.settings)
    found.usable["telegram"] = Mortal(found.usable["telegram"], chance)

    def deliver():
        try:
            desk.deliver(budget_s=chance.choice((0, 30)), channels=found)
        except Killed:
            clock.forward(seconds=200)  # until the lease ends

    for scan in range(12):
        desk.raise_(*[desk.alert("signal", f"S{i}", f"<{scan}.{i}>") for i in range(chance.randint(0, 3))])
        deliver()
        clock.forward(seconds=chance.choice((1, 60, 700)))
    telegram_standin.script.clear()
    found = open_channels(desk.settings)
    clock.forward(minutes=15)
    desk.deliver(budget_s=600, channels=found)
    desk.raise_(desk.alert("signal", "LAST", "<last>"))
    clock.forward(minutes=15)
    desk.deliver(budget_s=600, channels=found)

    own = [text.partition("Earlier messages")[0] for text in telegram_standin.texts]
    taken = Counter(
        title
        for text, act in zip(own, telegram_standin.acted, strict=True)
        if act in TAKEN
        for title in re.findall(r"<[\w.]+>", text)
    )
    with desk.journal.connect() as connection:
        joined = deliveries.join(alerts, deliveries.c.alert_id == alerts.c.id)
        rows = list(
            connection.execute(select(alerts.c.title, deliveries.c.state, deliveries.c.mentioned).select_from(joined))
        )
    assert rows and len(rows) == len(desk.rows())
    assert max(taken.values()) == 1, "nothing is sent twice"
    assert {state for _, state, _ in rows} <= {"sent", "unknown", "failed"}, "nothing waits for ever"
    assert all(taken[title] == 1 for title, state, _ in rows if state == "sent"), "what is recorded as sent was sent"
    assert all(taken[title] == 0 for title, state, _ in rows if state == "failed")
    assert all(mentioned for _, state, mentioned in rows if state in ("unknown", "failed")), "the reader knows"
