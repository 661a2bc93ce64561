"""Settings of alerts: which events are reported, how often, and through which channels."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from configs.values import Frozen

Severity = Literal["info", "warning", "critical"]
Mode = Literal["on", "silent", "off"]
Hours = Annotated[float, Field(ge=0.01, le=10_000)]
_VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]{0,99}$"


def _chat(value: object) -> object:
    """Return a chat as text; ``ValueError`` says what one looks like."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if text is not None and (not isinstance(text, str) or not re.fullmatch(r"-?\d{1,20}|@\w{1,64}", text, re.ASCII)):
        raise ValueError("expected the number of a chat, such as -1001234567890, or @channel")
    return text


def _base_url(value: str) -> str:
    """Return a URL without its last slash; ``ValueError`` says what is expected."""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ValueError("expected a URL such as https://api.telegram.org, without user, query and fragment")
    return value.rstrip("/")


class TelegramConfig(Frozen):
    """The chat to which a Telegram bot writes.

    The bot's token is no setting: it is read from an environment variable or a file, and never stored.
    """

    chat: Annotated[str | None, BeforeValidator(_chat)] = None
    """Number of the chat (negative for groups) or ``@channel``; null means that Telegram is not used."""
    token_variable: Annotated[str, Field(pattern=_VARIABLE)] = "FLEETCAST_TELEGRAM_TOKEN"
    """Name of the environment variable with the bot's token."""
    token_file: str | None = None
    """File with the bot's token, which is read before each delivery; null means the environment variable."""
    base_url: Annotated[str, AfterValidator(_base_url)] = "https://api.telegram.org"
    """Address of the Bot API; a server of your own, for instance."""
    minimum: Severity = "info"
    """Least severity that is sent."""
    timeout_s: Annotated[float, Field(ge=0.1, le=30.0)] = 20.0
    """Seconds after which a message without an answer counts as unconfirmed."""


class AppriseConfig(Frozen):
    """E-mail, Slack and every other service that apprise supports (the extra ``alerts``).

    The services' URLs contain passwords, so they are no settings: they are read from an environment variable or a file,
    as ``NAME=URL`` with blanks or line breaks between. Each name is a channel.
    """

    urls_variable: Annotated[str, Field(pattern=_VARIABLE)] = "FLEETCAST_ALERT_URLS"
    """Name of the environment variable with ``NAME=URL`` pairs."""
    urls_file: str | None = None
    """File with ``NAME=URL`` pairs, which is read before each delivery; null means the environment variable."""
    minimum: Severity = "warning"
    """Least severity that is sent."""


class EventsConfig(Frozen):
    """What is sent of each event: ``on``; ``silent``, without a sound; or ``off``, recorded but not sent."""

    signal: Mode = "on"
    """A significant signal: a position is opened, closed or changed by at least ``alerts.signal_change``."""
    retraining: Mode = "silent"
    """Models were trained again, or could not be."""
    promotion: Mode = "on"
    """A new version became champion."""
    rollback: Mode = "on"
    """The former champion came back, because its forecasts proved better."""
    drift: Mode = "silent"
    """Features of a symbol moved away from those that its model was trained on."""
    skill: Mode = "on"
    """A sequential test found that forecasts are worse than their baseline or than they were."""
    dead_data: Mode = "on"
    """Bars of a symbol are missing, stale or unusable."""
    protection: Mode = "on"
    """A protection stopped trading: loss, drawdown, cool-down, stop-losses, number of orders or the kill switch."""
    calendar_unknown: Mode = "on"
    """No calendar says whether a bar is closed, so its symbol is not traded."""
    missed_scans: Mode = "on"
    """Scans were due and did not run."""
    task_failure: Mode = "on"
    """A task of the bot failed."""


class AlertsConfig(Frozen):
    """What the bot reports and where; nothing here changes a forecast, a signal or an order."""

    telegram: TelegramConfig = TelegramConfig()
    apprise: AppriseConfig = AppriseConfig()
    events: EventsConfig = EventsConfig()
    repeat_hours: Hours = 24.0
    """Hours after which a condition that lasts is reported again. Until then it is silent, unless it becomes more
    severe."""
    expire_hours: Hours = 72.0
    """Hours after which an alert that could not be sent is given up. The next message says how many were."""
    group_by: Literal["scan", "event", "alert"] = "scan"
    """What one message contains: all alerts of a scan, those of one event, or a single alert."""
    signal_change: Annotated[float, Field(ge=0.0, le=100.0)] = 0.02
    """Least change of a position, as a share of equity, whose signal is reported."""
