"""Deliver a bot's alerts: claim a message, send it, record how that ended, and keep to each service's pace."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from configs.alerts import AlertsConfig
from configs.errors import LeaseLostError
from serving.alerts.channel import Channel
from serving.alerts.channels import Channels, open_channels
from serving.alerts.deliveries import Claim, claim, finish, route
from serving.alerts.messages import compose
from serving.journal.database import Journal
from serving.journal.leases import Lease, acquire

logger = logging.getLogger(__name__)

TERM_S = 180.0  # longer than one attempt
_OTHER = "another process delivers through it"


@dataclass(slots=True)
class Delivered:
    """What happened on one channel.

    Attributes
    ----------
    sent, unknown, failed
        Messages.
    next_at
        When the next message may be sent; None if none waits.
    error
        Why the last attempt, or the channel, failed; empty if it did not.
    """

    sent: int = 0
    unknown: int = 0
    failed: int = 0
    next_at: datetime | None = None
    error: str = ""


def deliver(
    journal: Journal,
    bot: str,
    settings: AlertsConfig,
    *,
    channels: Channels | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    sleep: Callable[[float], None] = time.sleep,
    budget_s: float = 20.0,
) -> dict[str, Delivered]:
    """Send the alerts of a bot that wait, and return what happened by channel.

    Parameters
    ----------
    journal
        With the alerts.
    bot
        The bot's name.
    settings
        ``alerts``.
    channels
        By default those that the settings name.
    clock
        The time, aware.
    sleep
        Waits for a number of seconds.
    budget_s
        Seconds to wait, in all, for a service's pace; what is due later waits for the next call.
    """
    found = open_channels(settings) if channels is None else channels
    for name, problem in found.problems.items():
        logger.warning("alerts cannot be sent through %s: %s", name, problem)
    if found.complete:
        with journal.begin() as connection:
            route(connection, bot, found.minimum, settings, clock())
    end = clock() + timedelta(seconds=budget_s)
    done = {name: Delivered(error=problem) for name, problem in found.problems.items()}
    for name, channel in found.usable.items():
        done[name] = _through(journal, bot, channel, settings, clock, sleep, end)
    return done


def _through(
    journal: Journal,
    bot: str,
    channel: Channel,
    settings: AlertsConfig,
    clock: Callable[[], datetime],
    sleep: Callable[[float], None],
    end: datetime,
) -> Delivered:
    result = Delivered()
    lease = acquire(journal, f"alerts/{channel.name}", term_s=TERM_S, clock=clock)
    if lease is None:
        result.error = _OTHER
        return result
    try:
        while True:
            found = _claimed(journal, bot, channel, lease, settings, clock)
            if found is None:
                return result
            if isinstance(found, Claim):
                _attempt(journal, channel, found, clock, result)
                continue
            result.next_at = found
            wait_s = (found - clock()).total_seconds()
            if clock() + timedelta(seconds=wait_s) > end:
                return result
            sleep(max(wait_s, 0.0))
            result.next_at = None
    except LeaseLostError:
        result.error = _OTHER
        return result
    finally:
        lease.release()


def _claimed(
    journal: Journal,
    bot: str,
    channel: Channel,
    lease: Lease,
    settings: AlertsConfig,
    clock: Callable[[], datetime],
) -> Claim | datetime | None:
    lease.renew()
    with journal.begin() as connection:
        lease.guard(connection)
        return claim(connection, bot, channel, lease.token, settings, clock())


def _attempt(
    journal: Journal, channel: Channel, claimed: Claim, clock: Callable[[], datetime], result: Delivered
) -> None:
    message = compose(claimed.entries, claimed.number, channel.limits.text, claimed.earlier, silent=claimed.silent)
    receipt = channel.send(message)
    with journal.begin() as connection:
        finish(connection, claimed, receipt, clock())
    result.sent += receipt.outcome == "sent"
    result.unknown += receipt.outcome == "unknown"
    result.failed += receipt.outcome == "failed"
    result.error = receipt.error
    if receipt.outcome == "sent":
        logger.info("sent message %s through %s", claimed.number, channel.name)
    else:
        logger.warning("message %s through %s is %s: %s", claimed.number, channel.name, receipt.outcome, receipt.error)
