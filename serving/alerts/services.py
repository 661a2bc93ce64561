"""Services besides Telegram: their names and URLs, from a file or an environment variable."""

from __future__ import annotations

import os
import re

from configs.alerts import AppriseConfig
from serving.alerts.channel import secret_text
from serving.alerts.events import AlertError

_PAIR = re.compile(r"([A-Za-z][A-Za-z0-9_.-]{0,63})=([a-z][a-z0-9+.-]*://\S+)", re.IGNORECASE)
_TAKEN = "telegram"


def named_urls(settings: AppriseConfig) -> dict[str, str]:
    """Return the URL of each service by the name that the user gave it; empty if none is configured.

    Raises
    ------
    AlertError
        The file cannot be read, or a part of the text is not ``NAME=URL``; the message contains no URL.
    """
    if settings.urls_file is None and not os.environ.get(settings.urls_variable, "").strip():
        return {}
    where = settings.urls_file or settings.urls_variable
    text = secret_text(settings.urls_variable, settings.urls_file, "NAME=URL", "alerts.apprise.urls_file")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    found: dict[str, str] = {}
    for place, pair in enumerate(" ".join(lines).split(), start=1):
        match = _PAIR.fullmatch(pair)
        if match is None:
            raise AlertError(f"part {place} of {where!r} is not NAME=URL, such as desk=mailto://user:password@host.")
        name, url = match.groups()
        if name == _TAKEN or name in found:
            raise AlertError(f"the name {name!r} in {where!r} is taken. Give every service a name of its own.")
        found[name] = url
    return found
