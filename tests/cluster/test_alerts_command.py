"""``fleetcast alerts``: channels are tested, alerts listed and delivered."""

import json
from datetime import UTC, datetime

import pytest
from telegram_standin import TOKEN

from serving.alerts import Alert, raise_alerts
from serving.journal import open_journal

AT = datetime(2026, 1, 2, 21, tzinfo=UTC)


@pytest.fixture
def chat(telegram_standin):
    return ("--set", "alerts.telegram.chat=42", "--set", f"alerts.telegram.base_url={telegram_standin.url}")


@pytest.fixture
def reported(journal_url):
    with open_journal(journal_url) as journal, journal.begin() as connection:
        raise_alerts(
            connection,
            [
                Alert("paper", "drift", "AAPL", AT, "AAPL: PSI 0.31"),
                Alert("paper", "rollback", "direction", AT, "direction: 20260101T000000Z-abcdef is back"),
            ],
        )
    return ("--database", journal_url)


def test_the_channels_are_tested(call, chat, telegram_standin):
    done = call("alerts", "test", *chat)
    assert done.code == 0 and done.out == "telegram: sent\n" and "Test" in telegram_standin.texts[0]
    telegram_standin.script = [401]
    done = call("alerts", "test", "--channel", "telegram", "--json", *chat)
    assert done.code == 1 and "refuses the token" in json.loads(done.out)["telegram"]["error"]
    assert TOKEN not in done.out + done.err


def test_without_channels_it_says_how_to_get_one(call, chat):
    done = call("alerts", "test")
    assert done.code == 2 and "no channel is configured" in done.err and "FLEETCAST_TELEGRAM_TOKEN" in done.err
    done = call("alerts", "test", "--channel", "smoke", *chat)
    assert done.code == 2 and "there is no channel 'smoke'. Give one of: telegram" in done.err


@pytest.mark.slow
def test_alerts_are_listed_and_delivered(call, chat, telegram_standin, reported):
    listed = json.loads(call("alerts", "list", "--json", *reported).out)
    assert [one["event"] for one in listed] == ["drift", "rollback"] and not listed[0]["deliveries"]
    for wrong in (("--bot", "papers"), ("--set", "bot.name=papers")):
        refused = call("alerts", "deliver", *wrong, *chat, *reported)
        assert refused.code == 2 and "the journal has no bot 'papers'. Did you mean 'paper'?" in refused.err
    assert not telegram_standin.texts
    done = call("alerts", "deliver", *chat, *reported)
    assert done.code == 0 and done.out == "telegram: 1 sent\n" and len(telegram_standin.received) == 1
    number = telegram_standin.texts[0].rpartition("id ")[2]
    found = call("alerts", "list", "--id", number[:8], *reported).out
    assert "AAPL: PSI 0.31" in found and "abcdef is back" in found and "telegram sent" in found
    assert "rollback" not in call("alerts", "list", "--state", "open", *reported).out
    assert call("alerts", "list", "--state", "failed", *reported).out == "There is no such alert.\n"
    assert call("alerts", "deliver", *reported).out.startswith("No channel is configured")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--state", "lost"), "state 'lost' does not exist"),
        (("--event", "lost"), "event 'lost' does not exist"),
        (("--event", "drifts"), "Did you mean 'drift'?"),
        (("--bot", "papr"), "the journal has no bot 'papr'. Did you mean 'paper'?"),
        (("--id", "%"), "id '%' is none"),
    ],
)
def test_what_cannot_be_listed_is_one_error(call, reported, arguments, says):
    done = call("alerts", "list", *arguments, *reported)
    assert done.code == 2 and says in done.err
