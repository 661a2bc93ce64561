"""What every channel of alerts has in common: a message, its receipt, and the limits of the service."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from configs.alerts import Severity
from serving.alerts.events import AlertError

Outcome = Literal["sent", "waiting", "failed", "unknown"]
MAX_SECRET = 65_536


@dataclass(frozen=True, slots=True)
class Message:
    """A text for one channel; ``number`` is in the text and names the message in the journal."""

    number: str
    subject: str
    text: str
    severity: Severity
    silent: bool = False


@dataclass(frozen=True, slots=True)
class Receipt:
    """How an attempt to send a message ended.

    Attributes
    ----------
    outcome
        ``sent``: the service confirmed it. ``waiting``: it did not take the message, which is tried again. ``failed``:
        it will never take this message. ``unknown``: it may or may not have taken it, so it is not sent again.
    error
        Why, on one line and without secrets; empty if it was sent.
    retry_after_s
        Seconds for which the service wants no message; None if it does not say.
    """

    outcome: Outcome
    error: str = ""
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a service: UTF-16 units of a text, and how many messages it takes in how many seconds."""

    text: int
    pace: tuple[tuple[int, float], ...]


class Channel(Protocol):
    """A service that takes messages.

    Attributes
    ----------
    name
        The name under which deliveries are recorded.
    minimum
        Least severity that is sent.
    limits
        Of the service.
    """

    name: str
    minimum: Severity
    limits: Limits

    def send(self, message: Message) -> Receipt:
        """Make one attempt; errors of the service and of the network are receipts."""
        ...


def secret_text(variable: str, file: str | None, what: str, setting: str) -> str:
    """Return a secret from a file, or without one from an environment variable.

    Raises
    ------
    AlertError
        There is none, or the file cannot be read; the message never contains the secret.
    """
    if file is None:
        found = os.environ.get(variable, "").strip()
        if not found:
            raise AlertError(f"{what} is missing: set the environment variable {variable}, or {setting} to a file.")
        return found
    try:
        with Path(file).expanduser().open("rb") as stream:
            found = stream.read(MAX_SECRET).decode("utf-8").strip()
    except OSError as error:
        raise AlertError(f"{setting} {file!r} cannot be read: {error.strerror}. Check the path.") from None
    except UnicodeDecodeError:
        raise AlertError(f"{setting} {file!r} is not text. Write {what} into it.") from None
    if not found:
        raise AlertError(f"{setting} {file!r} is empty. Write {what} into it.")
    return found
