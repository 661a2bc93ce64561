"""Services through apprise: what is sent, and that URLs with their secrets are nowhere else."""

import logging

import pytest
from telegram_standin import Standin

from configs.alerts import AlertsConfig, AppriseConfig
from serving.alerts import AlertError
from serving.alerts.apprise_channel import AppriseChannel
from serving.alerts.channel import Message
from serving.alerts.channels import open_channels
from serving.alerts.services import named_urls

MESSAGE = Message("6f1c", "[bot] Rollback", "direction is back <b>\nid 6f1c", "critical")
SECRETS = ("pa55word", "s3cretpath", "t0kenvalue")


@pytest.fixture
def service():
    standin = Standin()
    yield standin
    standin.close()


def url_of(standin):
    return standin.url.replace("http://", "json://desk:pa55word@") + "/s3cretpath?rto=1&-key=t0kenvalue"


def channel(url):
    return AppriseChannel("desk", url, AppriseConfig())


@pytest.mark.slow
def test_a_message_is_sent_as_it_is(service):
    assert channel(url_of(service)).send(MESSAGE).outcome == "sent"
    (one,) = service.received
    assert (
        one.body["message"] == MESSAGE.text and one.body["title"] == MESSAGE.subject and one.body["type"] == "failure"
    )


@pytest.mark.parametrize("act", [200, 500, 401, "break"], ids=str)
def test_no_secret_is_in_logs_errors_or_the_channel(service, caplog, act):
    caplog.set_level(logging.DEBUG)
    service.script = [act]
    desk = channel(url_of(service))
    receipt = desk.send(MESSAGE)
    assert receipt.outcome == ("sent" if act == 200 else "waiting") and bool(receipt.error) == (act != 200)
    assert not [one for one in SECRETS if one in caplog.text or one in receipt.error or one in repr(desk)]


def test_names_and_urls_come_from_the_environment_or_a_file(monkeypatch, tmp_path):
    assert named_urls(AppriseConfig()) == {}
    monkeypatch.setenv("FLEETCAST_ALERT_URLS", "desk=mailto://u:p@example.org  chat=slack://a/b/c")
    assert named_urls(AppriseConfig()) == {"desk": "mailto://u:p@example.org", "chat": "slack://a/b/c"}
    file = tmp_path / "urls"
    file.write_text("# the desk\ndesk=json://localhost\n\nother=json://localhost/x=y\n")
    assert list(named_urls(AppriseConfig(urls_file=str(file)))) == ["desk", "other"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("mailto://u:s3cret@example.org", "part 1"),
        ("desk=json://a desk=json://s3cret", "is taken"),
        ("telegram=tgram://s3cret/1", "is taken"),
        ("a=json://x b=s3cret", "part 2"),
    ],
)
def test_names_and_urls_that_cannot_be_are_errors_without_the_url(monkeypatch, text, says):
    monkeypatch.setenv("FLEETCAST_ALERT_URLS", text)
    with pytest.raises(AlertError, match=says) as caught:
        named_urls(AppriseConfig())
    assert "s3cret" not in str(caught.value)
    assert not open_channels(AlertsConfig()).complete


def test_a_url_that_apprise_does_not_know_is_an_error_without_the_url(monkeypatch):
    monkeypatch.setenv("FLEETCAST_ALERT_URLS", "good=json://localhost bad=nosuch://s3cret")
    found = open_channels(AlertsConfig())
    assert list(found.usable) == ["good"] and list(found.problems) == ["bad"] and found.complete
    assert "s3cret" not in found.problems["bad"]


@pytest.mark.slow
def test_a_service_that_fails_does_not_stop_the_others(desk, clock, service, telegram_standin, monkeypatch):
    bad = url_of(service).replace("s3cretpath", "bad")
    monkeypatch.setenv("FLEETCAST_ALERT_URLS", f"first={bad} second={url_of(service)}")
    service.script = [500]
    desk.raise_(desk.alert())
    done = desk.deliver(budget_s=2)
    assert {name: one.sent for name, one in done.items()} == {"telegram": 1, "first": 0, "second": 1}
    clock.forward(minutes=1)
    assert desk.deliver(budget_s=2)["first"].sent == 1
    assert len(service.received) == 3 and len(telegram_standin.received) == 1
