"""Whether channels work: a test message through each, past the journal."""

from __future__ import annotations

from datetime import UTC, datetime

from configs.alerts import AlertsConfig
from serving.alerts.channel import Channel, Message
from serving.alerts.channels import open_channels
from serving.alerts.events import AlertError
from serving.journal.schema import row_id


def check_channels(settings: AlertsConfig, bot: str, only: str | None = None) -> dict[str, str]:
    """Send a test message through each channel, or one; return why it did not arrive, empty if it did.

    Raises
    ------
    AlertError
        No channel is configured, or none has this name.
    """
    found = open_channels(settings)
    names = [name for name in (*found.minimum, *found.problems) if only in (None, name)]
    if not names:
        known = ", ".join(dict.fromkeys((*found.minimum, *found.problems)))
        if known:
            raise AlertError(f"there is no channel {only!r}. Give one of: {known}.")
        raise AlertError(
            "no channel is configured. Set alerts.telegram.chat and FLEETCAST_TELEGRAM_TOKEN, or name services with "
            "FLEETCAST_ALERT_URLS; see `fleetcast config describe alerts`."
        )
    results = {}
    for name in dict.fromkeys(names):
        results[name] = found.problems[name] if name in found.problems else _check(found.usable[name], bot)
    return results


def _check(channel: Channel, bot: str) -> str:
    number = row_id("test", bot, channel.name, datetime.now(UTC))
    text = f"🔵 Test\nAlerts of bot {bot} arrive here.\n\nid {number}"
    receipt = channel.send(Message(number, f"[{bot}] Test", text, "info"))
    return "" if receipt.outcome == "sent" else receipt.error
