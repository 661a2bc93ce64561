"""A service that apprise supports: e-mail, Slack, Discord, webhooks and many others.

apprise does not tell a message that failed from one that was not confirmed, so both are sent again.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from configs.alerts import AppriseConfig, Severity
from serving.alerts.channel import Limits, Message, Receipt
from serving.alerts.events import AlertError, one_line

if TYPE_CHECKING:
    from apprise import Apprise

MAX_TEXT = 4096
_LEAST_SECRET = 4  # shorter parts of a URL, such as a port, are words of their own
_TIMEOUT_S = 30.0


class AppriseChannel:
    """Sends messages through one service.

    Parameters
    ----------
    name
        The name that the user gave it.
    url
        Its URL, with its secrets.
    settings
        Least severity.

    Raises
    ------
    AlertError
        apprise is not installed, or does not know the URL; the message does not contain it.
    """

    limits = Limits(MAX_TEXT, ((1, 1.0),))

    def __init__(self, name: str, url: str, settings: AppriseConfig) -> None:
        try:
            from apprise import Apprise, AppriseAsset
        except ImportError:
            raise AlertError(
                f"channel {name!r} needs apprise. Install the extra: uv sync --extra alerts, or pip install apprise."
            ) from None
        self.name = name
        self.minimum: Severity = settings.minimum
        self._secrets = _secrets(url)
        with _discreet():
            service = Apprise.instantiate(
                _with_split(url), asset=AppriseAsset(async_mode=False, service_timeout=_TIMEOUT_S)
            )
        if service is None:
            raise AlertError(f"apprise does not know the URL of channel {name!r}. See its documentation for the form.")
        self._service: Apprise = Apprise(asset=AppriseAsset(async_mode=False, service_timeout=_TIMEOUT_S))
        self._service.add(service)

    def __repr__(self) -> str:
        """Return the name: services print their URLs."""
        return f"AppriseChannel({self.name!r})"

    def send(self, message: Message) -> Receipt:
        """Make one attempt."""
        from apprise import NotifyFormat, NotifyType
        from apprise.result import AppriseResultStatus

        kinds = {"info": NotifyType.INFO, "warning": NotifyType.WARNING, "critical": NotifyType.FAILURE}
        with _discreet():
            result = self._service.notify(
                body=message.text,
                title=message.subject,
                notify_type=kinds[message.severity],
                body_format=NotifyFormat.TEXT,
            )
        if result:
            return Receipt("sent")
        if result.status is AppriseResultStatus.TIMEOUT:
            return Receipt("unknown", f"it was not confirmed within {_TIMEOUT_S:g} s")
        lines = [str(line.message) for service in result for attempt in service for line in attempt.logs]
        return Receipt("waiting", self._redacted(lines[-1] if lines else "apprise could not send it"))

    def _redacted(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "…")
        return one_line(text, 300)


def _with_split(url: str) -> str:
    """Return a URL whose service splits texts that are too long for it, unless the URL says what to do."""
    if "overflow=" in url:
        return url
    return f"{url}{'&' if '?' in url else '?'}overflow=split"


def _secrets(url: str) -> list[str]:
    """Return the parts of a URL that may be secret, as written and decoded, the longest first."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return [url]
    user_info = parts.netloc.rpartition("@")[0]
    found = [url, *re.split(r"[:]", user_info), *re.split(r"[/=&]", f"{parts.path}&{parts.query}")]
    return sorted({one for part in found for one in (part, unquote(part)) if len(one) >= _LEAST_SECRET}, key=len)[::-1]


class _Discreet(logging.Filter):
    """Drops lines below WARNING."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a line is kept."""
        return record.levelno >= logging.WARNING


_HIDDEN = _Discreet()


@contextmanager
def _discreet() -> Iterator[None]:
    """Keep the URLs of services, which contain secrets, out of log lines.

    apprise sends in threads that it starts, which may outlive a timeout, so its filter stays.
    """
    logging.getLogger("apprise").addFilter(_HIDDEN)
    requests = logging.getLogger("urllib3.connectionpool")
    requests.addFilter(_HIDDEN)
    try:
        yield
    finally:
        requests.removeFilter(_HIDDEN)
