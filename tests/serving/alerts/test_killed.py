"""A process that delivers alerts ends before any of its commits: nothing is lost, and nothing arrives twice."""

import pytest
from sqlalchemy import event, select

from serving.alerts.deliver import TERM_S
from serving.journal.schema import alerts, deliveries

pytestmark = pytest.mark.slow

ALERTS = 3


class Killed(BaseException):
    """The end of a process: no code catches it."""


def commits(engine, run, crash_at=None) -> int:
    """Run, and end before the commit of this number; return how many there were."""
    count = 0

    def on_commit(connection) -> None:
        nonlocal count
        count += 1
        if crash_at is not None and count >= crash_at:  # a process that has ended gives no lease back
            raise Killed

    event.listen(engine, "commit", on_commit)
    try:
        run()
    except Killed:
        assert crash_at is not None
    finally:
        event.remove(engine, "commit", on_commit)
    return count


@pytest.mark.parametrize("answer", [200, (429, {"retry_after": 3}), "break"])
def test_a_deliverer_that_ends_before_any_commit(desk, clock, telegram_standin, answer):
    def states(keys):
        joined = deliveries.join(alerts, deliveries.c.alert_id == alerts.c.id)
        wanted = select(alerts.c.key, deliveries.c.state).select_from(joined).where(alerts.c.key.in_(keys))
        with desk.journal.connect() as connection:
            return {row.key: row.state for row in connection.execute(wanted)}

    def attempt(crash_at=None):
        keys = [f"key-{crash_at or 0}-{i}" for i in range(ALERTS)]
        for key in keys:
            desk.raise_(desk.alert(key=key, title=f"about {key}."))
            clock.forward(minutes=1)
        before, telegram_standin.script = len(telegram_standin.received), [answer]
        made = commits(desk.journal.engine, lambda: desk.deliver(budget_s=60), crash_at)
        clock.forward(seconds=TERM_S + 1)
        for _ in range(2):
            desk.deliver(budget_s=60)
            clock.forward(minutes=11)
        taken = zip(telegram_standin.texts[before:], telegram_standin.acted[before:], strict=True)
        read = [text.partition("Earlier")[0] for text, act in taken if act == 200]
        return made, states(keys), {key: sum(f"about {key}." in text for text in read) for key in keys}

    total, _, _ = attempt()
    assert total > 2 * ALERTS
    for crash_at in range(1, total + 1):
        _, found, arrived = attempt(crash_at)
        assert len(found) == ALERTS and set(found.values()) <= {"sent", "unknown"}, (crash_at, found)
        assert list(found.values()).count("unknown") <= (2 if answer == "break" else 1), (crash_at, found)
        assert all(arrived[key] == 1 for key, state in found.items() if state == "sent"), (crash_at, arrived)
        assert max(arrived.values()) <= 1, (crash_at, arrived)
