"""The channels that the configuration names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from configs.alerts import AlertsConfig, Severity
from configs.errors import FleetcastError
from serving.alerts.channel import Channel


@dataclass(frozen=True, slots=True)
class Channels:
    """Channels by name, with the least severity of each; ``problems`` says why one cannot be used at present.

    ``complete`` is False if the names of some are not known, because the file that names them cannot be read.
    """

    usable: dict[str, Channel]
    minimum: dict[str, Severity]
    problems: dict[str, str]
    complete: bool = True


def open_channels(settings: AlertsConfig) -> Channels:
    """Return the channels; secrets are read anew, so that a corrected one counts without a restart."""
    usable: dict[str, Channel] = {}
    minimum: dict[str, Severity] = {}
    problems: dict[str, str] = {}

    def add(name: str, least: Severity, make: Callable[[], Channel]) -> None:
        minimum[name] = least
        try:
            usable[name] = make()
        except FleetcastError as error:
            problems[name] = str(error)

    if settings.telegram.chat is not None:
        from serving.alerts.telegram import Telegram

        add(Telegram.name, settings.telegram.minimum, lambda: Telegram(settings.telegram))
    complete = True
    try:
        from serving.alerts.services import named_urls

        urls = named_urls(settings.apprise)
    except FleetcastError as error:
        urls, complete = {}, False
        problems["apprise"] = str(error)
    for name, url in urls.items():
        from serving.alerts.apprise_channel import AppriseChannel

        add(name, settings.apprise.minimum, lambda name=name, url=url: AppriseChannel(name, url, settings.apprise))  # type: ignore[misc]
    return Channels(usable, minimum, problems, complete)
