"""The sender: what each answer and each failure means, and that the token is nowhere but in the request."""

import logging
import socket

import pytest
from telegram_standin import TOKEN

from configs import ConfigError, load_config
from configs.alerts import TelegramConfig
from serving.alerts import AlertError
from serving.alerts.channel import Message
from serving.alerts.telegram import Telegram

MESSAGE = Message("6f1c", "subject", "text id 6f1c", "info", silent=True)


def channel_to(url, **settings):
    return Telegram(TelegramConfig(chat=settings.pop("chat", "42"), base_url=url, timeout_s=2.0, **settings))


def test_a_message_is_one_post(telegram_standin):
    assert channel_to(telegram_standin.url).send(MESSAGE).outcome == "sent"
    (one,) = telegram_standin.received
    assert one.path == f"/bot{TOKEN}/sendMessage"
    assert (one.body["chat_id"], one.body["text"], one.body["disable_notification"]) == ("42", "text id 6f1c", True)


@pytest.mark.parametrize(
    ("act", "outcome", "says"),
    [
        ((429, {"retry_after": 3}), "waiting", "no message for 3 s"),
        (401, "waiting", "refuses the token"),
        (404, "waiting", "refuses the token"),
        (403, "waiting", "alerts.telegram.chat"),
        ((400, {"migrate_to_chat_id": -100123}), "waiting", "-100123"),
        (400, "failed", "refuses the message"),
        (500, "waiting", "answers 500"),
        (502, "waiting", "answers 502"),
        (504, "unknown", "no answer"),
        ("stall", "unknown", "not received"),
        ("break", "unknown", "not received"),
        ("drip", "unknown", "not complete"),
        ("{not JSON", "unknown", "not that of Telegram"),
        ("[1]", "unknown", "not that of Telegram"),
        ("x" * 100_000, "unknown", "not complete"),
    ],
    ids=str,
)
def test_what_answers_mean(telegram_standin, act, outcome, says):
    telegram_standin.script = [act]
    receipt = channel_to(telegram_standin.url).send(MESSAGE)
    assert receipt.outcome == outcome and says in receipt.error and "\n" not in receipt.error
    assert receipt.retry_after_s == (3.0 if isinstance(act, tuple) and act[0] == 429 else None)
    assert len(telegram_standin.received) == 1


@pytest.mark.parametrize("given", ["soon", None, -1, float("inf")])
def test_a_wait_that_is_none_is_five_seconds(telegram_standin, given):
    telegram_standin.script = [(429, {"retry_after": given})]
    assert channel_to(telegram_standin.url).send(MESSAGE).retry_after_s == 5.0


def test_where_nothing_listens_nothing_was_sent(telegram_standin):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    receipt = channel_to(url).send(MESSAGE)
    assert receipt.outcome == "waiting" and "cannot be reached" in receipt.error


@pytest.mark.parametrize("act", [200, 401, 500, "stall", "break", f"{{{TOKEN}"], ids=str)
def test_the_token_is_in_no_log_and_no_error(telegram_standin, caplog, act):
    caplog.set_level(logging.DEBUG)
    telegram_standin.script = [act]
    channel = channel_to(telegram_standin.url)
    receipt = channel.send(MESSAGE)
    secret = TOKEN.partition(":")[2]
    assert caplog.records
    assert all(secret not in text for text in (caplog.text, receipt.error, repr(channel), repr(vars(channel))))


def test_the_environments_proxy_is_used(telegram_standin, monkeypatch):
    monkeypatch.setenv("http_proxy", telegram_standin.url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert channel_to("http://telegram.example/api").send(MESSAGE).outcome == "sent"
    assert telegram_standin.received[0].path == f"http://telegram.example/api/bot{TOKEN}/sendMessage"


def test_a_group_has_a_limit_a_minute(telegram_standin):
    assert channel_to(telegram_standin.url, chat="-100").limits.pace == ((1, 1.0), (20, 60.0))
    assert channel_to(telegram_standin.url).limits.pace == ((1, 1.0),)


def test_the_token_may_be_in_a_file_and_is_checked_without_being_shown(telegram_standin, tmp_path, monkeypatch):
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    monkeypatch.delenv("FLEETCAST_TELEGRAM_TOKEN")
    assert channel_to(telegram_standin.url, token_file=str(file)).send(MESSAGE).outcome == "sent"
    with pytest.raises(AlertError, match="set the environment variable FLEETCAST_TELEGRAM_TOKEN"):
        channel_to(telegram_standin.url)
    for content, says in (("", "is empty"), ("no-token-but-secret", "looks like")):
        file.write_text(content)
        with pytest.raises(AlertError, match=says) as caught:
            channel_to(telegram_standin.url, token_file=str(file))
        assert "secret" not in str(caught.value)
    with pytest.raises(AlertError, match="cannot be read"):
        channel_to(telegram_standin.url, token_file=str(tmp_path / "none"))
    with pytest.raises(AlertError, match="chat is null"):
        Telegram(TelegramConfig())


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("chat=hello", "number of a chat"),
        ("base_url=ftp://host", "expected a URL"),
        ("token_variable=1x", "form"),
        ("timeout_s=0", "≥ 0.1"),
    ],
)
def test_settings_are_checked(setting, says):
    with pytest.raises(ConfigError, match=says):
        load_config("demo", overrides=[f"alerts.telegram.{setting}"])


def test_a_chats_number_may_be_written_as_one():
    assert load_config("demo", overrides=["alerts.telegram.chat=-1001"]).alerts.telegram.chat == "-1001"
