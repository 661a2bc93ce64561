"""What tasks work with."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from configs.errors import ConfigError
from configs.schema import Config
from serving.journal.database import Journal
from serving.journal.leases import Lease

if TYPE_CHECKING:
    from serving.bot.scanner import Scanner
    from serving.monitoring.metrics import BotMetrics
    from training.registry.manager import ModelManager

Clock = Callable[[], datetime]
Cluster = Callable[[], AbstractContextManager[None]]


def utc_now() -> datetime:
    """Return the time of this host, aware."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, eq=False)
class Services:
    """The store, the journal, the bot and its lease.

    Attributes
    ----------
    config
        All settings.
    manager
        Models and the store.
    journal
        The database.
    scanner
        Scans; it stays in memory between them.
    clock
        The time, aware.
    cluster
        Returns a context in which Ray is connected, for trainings; by default they run in this process.
    metrics
        For Prometheus.
    lease
        The leader's, set for each run of a task.
    stopped
        Whether a task should end early, between two transactions.
    """

    config: Config
    manager: ModelManager
    journal: Journal
    scanner: Scanner
    clock: Clock = utc_now
    cluster: Cluster = nullcontext
    metrics: BotMetrics | None = None
    lease: Lease | None = None
    stopped: Callable[[], bool] = lambda: False

    @property
    def bot(self) -> str:
        """The bot's name."""
        return self.config.bot.name

    @property
    def repeat(self) -> timedelta:
        """After how long a condition that lasts is reported again."""
        return timedelta(hours=self.config.alerts.repeat_hours)

    def the_lease(self) -> Lease:
        """Return the lease; ``ConfigError`` outside a run of a task."""
        if self.lease is None:
            raise ConfigError("a task needs the lease of its bot. Run it with a Runner.")
        return self.lease
