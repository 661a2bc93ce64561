"""One leader among the bots of a name: a lease that a thread renews, and that is given back at the end."""

from __future__ import annotations

import logging
import time
from threading import Event, Thread
from types import TracebackType
from typing import Self

from configs.errors import DatabaseUnavailableError, FleetcastError
from serving.journal.database import Journal
from serving.journal.leases import Lease, acquire

_RENEWALS = 3  # a term
_log = logging.getLogger(__name__)


class Leader:
    """Holds the lease of a bot while the context is open.

    Writes are safe without it: each transaction checks the lease's token. This class only says early that the lease is
    ``lost``, because another process took it over or the database did not answer for a whole term.

    Attributes
    ----------
    lease
        What transactions are guarded by.
    lost
        Set when another process may be the leader.
    """

    def __init__(self, lease: Lease) -> None:
        self.lease = lease
        self.lost = Event()
        self._end = Event()
        self._valid_until = time.monotonic() + lease.term_s
        self._thread = Thread(target=self._renew, name="lease", daemon=True)

    def __enter__(self) -> Self:
        """Begin to renew the lease."""
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Give the lease back, so that another bot need not wait for its end."""
        self._end.set()
        self._thread.join()
        if not self.lost.is_set():
            try:
                self.lease.release()
            except FleetcastError as problem:
                _log.warning("the lease %s is not given back and ends by itself: %s", self.lease.name, problem)

    def _renew(self) -> None:
        while not self._end.wait(self.lease.term_s / _RENEWALS):
            began = time.monotonic()
            try:
                if self.lease.renew():
                    self._valid_until = began + self.lease.term_s
                    continue
                _log.error("another process has taken over lease %s", self.lease.name)
            except DatabaseUnavailableError as error:
                if time.monotonic() < self._valid_until:
                    continue
                _log.error("lease %s could not be renewed: %s", self.lease.name, error)
            except FleetcastError as error:
                _log.error("lease %s could not be renewed: %s", self.lease.name, error)
            self.lost.set()
            return


def lead(journal: Journal, bot: str, term_s: float, stop: Event, poll_s: float | None = None) -> Leader | None:
    """Wait until this process leads the bots of this name, and return its leader; None if ``stop`` was set before.

    A database that does not answer is asked again; the log has one line for each change.
    """
    said = ""
    while not stop.is_set():
        try:
            lease = acquire(journal, lease_name(bot), term_s=term_s)
            if lease is not None:
                return Leader(lease)
            found = f"another process runs bot {bot}; this one waits to take over"
        except DatabaseUnavailableError as error:
            found = f"{error} Asking again."
        if found != said:
            _log.warning("%s", found)
            said = found
        stop.wait(poll_s if poll_s is not None else min(term_s / _RENEWALS, 5.0))
    return None


def lease_name(bot: str) -> str:
    """Return the name of a bot's lease."""
    return f"bot:{bot}"[:64]
