"""Writes what a server answers to the journal, off the path of requests.

A request adds one to its predictions' counts and goes on. A thread writes new predictions every ``journal.flush_s``
seconds. How often known ones were served is written ten times less often, because its cost would be that of as many
rows; between these times the thread has nothing to do, so it does not compete with requests for the interpreter.
While the database fails, counts wait in memory and the thread tries again, at least once a minute; beyond
``journal.queue_rows`` predictions they are dropped and counted.

Forecasts of a bar that was still being formed when the server read it are not journaled: they are of another bar than
the one that outcomes and bots refer to.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event, Lock, Thread
from typing import Any

import numpy as np

from configs.errors import DatabaseError
from configs.journal import JournalConfig
from configs.values import Kind
from serving.journal.database import Journal
from serving.journal.forecasts import close_of, snapshot_rows
from serving.journal.predictions import SERVED, PredictionRow, Served, count_served, record
from serving.journal.tally import Page, Tally
from serving.snapshot import Snapshot

_LONGEST_PAUSE_S = 60.0
_FLUSHES_OF_COUNTS = 10  # for which counts of known predictions wait, so that a busy server writes few rows
_MOST_KNOWN = 200_000  # identifiers of predictions that were written or wait
_CLOSE_S = 5.0

_log = logging.getLogger(__name__)

Key = tuple[Kind, str, str, np.datetime64]  # kind, version, symbol, date of the bar


@dataclass(slots=True)
class _Waiting:
    """What is to be written of one prediction; without a ``row`` the journal has it already."""

    served: Served
    row: PredictionRow | None


class ServedPredictions:
    """The queue and the thread of a server. :meth:`offer` never waits and never raises.

    Parameters
    ----------
    open_database
        Opens the journal; called in the thread, again after an error.
    config
        Sizes and times.
    observe
        Called in the thread with the predictions that were written and dropped since the last call, and how many wait.
    """

    def __init__(
        self,
        open_database: Callable[[], Journal],
        config: JournalConfig | None = None,
        observe: Callable[[int, int, int], None] = lambda written, dropped, waiting: None,
    ) -> None:
        self._open, self._config, self._observe = open_database, config or JournalConfig(), observe
        self._journal: Journal | None = None
        self._lock, self._ended = Lock(), Event()
        self._tally = Tally(self._config.queue_rows)
        self._pages: list[Page] = []  # taken from the tally, not counted yet
        self._written = self._dropped = 0
        self._observed = 0, 0
        self._waiting: dict[str, _Waiting] = {}
        self._known: dict[Key, str] = {}
        self._problem = ""
        self._failures, self._next_try, self._next_counts = 0, 0.0, 0.0
        self._thread = Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def offer(self, snapshot: Snapshot, symbols: Sequence[str], kinds: tuple[Kind, ...]) -> None:
        """Note that a snapshot's forecasts of these symbols and kinds were served now."""
        with self._lock:
            if symbols and not self._tally.add(snapshot, symbols, kinds):
                self._dropped += len(symbols) * len(kinds)

    def stats(self) -> dict[str, Any]:
        """Return the served predictions that were ``written``, wait and were ``dropped``, and the present problem."""
        with self._lock:
            waiting = self._tally.served + sum(one.served.count for one in list(self._waiting.values()))
            return {
                "written": self._written,
                "waiting": waiting,
                "dropped": self._dropped,
                "problem": self._problem or None,
            }

    def close(self, timeout_s: float = _CLOSE_S) -> None:
        """Write what waits, for at most ``timeout_s`` seconds; the rest is dropped, and the log has how much."""
        dropped = self._dropped
        self._ended.set()
        self._thread.join(timeout_s)
        stats = self.stats()
        if lost := stats["waiting"] + stats["dropped"] - dropped:
            why = stats["problem"] or f"the database did not answer within {timeout_s:g} s."
            _log.warning("the journal lacks the last %d served predictions: %s", lost, why)

    def _run(self) -> None:
        while not self._ended.wait(self._config.flush_s):
            self._turn()
        self._next_try = self._next_counts = 0.0
        self._turn()
        self._drop()
        self._report()
        if self._journal is not None:
            self._journal.close()

    def _turn(self) -> None:
        """Collect what was served, and write it, if either is due."""
        try:
            now = time.monotonic()
            if self._tally.is_due or now >= self._next_counts:
                self._collect()
                self._next_counts = now + _FLUSHES_OF_COUNTS * self._config.flush_s
            if self._waiting and now >= self._next_try:
                self._write()
                self._problem, self._failures = "", 0
        except DatabaseError as error:
            self._failed(str(error))
        except Exception as error:  # the thread must live: answers go on without the journal
            _log.exception("predictions cannot be written to the journal")
            self._drop()
            self._failed(f"internal: {type(error).__name__}; the server's log has the reason")
        finally:
            self._report()

    def _drop(self) -> None:
        with self._lock:
            self._dropped += sum(one.served.count for one in self._waiting.values())
            self._dropped += sum(page.times().total() for page in self._pages)
            self._waiting.clear()
            self._pages.clear()
        self._known.clear()  # some of them were not written

    def _failed(self, problem: str) -> None:
        if problem != self._problem:
            _log.warning("%s Predictions wait in memory", problem)
        self._problem, self._failures = problem, self._failures + 1
        self._next_try = time.monotonic() + min(_LONGEST_PAUSE_S, self._config.flush_s * 2.0 ** min(self._failures, 16))

    def _collect(self) -> None:
        """Take the counts, and make the rows of predictions that are new."""
        with self._lock:
            self._pages += self._tally.take()
        while self._pages:
            self._count(self._pages[-1])
            self._pages.pop()

    def _count(self, page: Page) -> None:
        snapshot, times = page.snapshot, page.times()
        first, last = (datetime.fromtimestamp(one, UTC) for one in (page.first_s, page.last_s))
        keys = {
            (kind, symbol): self._key(snapshot, kind, symbol)
            for kind, symbol in times
            if kind in snapshot.fleets and _is_complete(snapshot, symbol)
        }
        new = {one for one, key in keys.items() if key not in self._known}
        rows = dict[tuple[str, str], PredictionRow]()
        for row in snapshot_rows(snapshot, SERVED, symbols={symbol for _, symbol in new}) if new else ():
            rows[row.kind, row.symbol] = row
        for one, key in keys.items():
            self._add(key, rows.get(one), Served(times[one], first, last))

    def _add(self, key: Key, row: PredictionRow | None, served: Served) -> None:
        known = self._known.get(key)
        if known is None and row is None:  # this kind has no forecast of the symbol
            return
        number = known if known is not None else row.id if row is not None else ""
        with self._lock:
            if (waiting := self._waiting.get(number)) is not None:
                waiting.served += served
            elif len(self._waiting) < self._config.queue_rows:
                self._waiting[number] = _Waiting(served, None if known is not None else row)
                self._known[key] = number
            else:
                self._dropped += served.count

    def _write(self) -> None:
        if self._journal is None:
            self._journal = self._open()
        batch = dict(self._waiting)
        rows = [one.row for one in batch.values() if one.row is not None]
        with self._journal.begin() as connection:
            record(connection, rows)
            lost = count_served(connection, {number: one.served for number, one in batch.items()})
        with self._lock:
            for number, one in batch.items():
                if number in lost:
                    self._dropped += one.served.count
                else:
                    self._written += one.served.count
            self._waiting.clear()
        if gone := {number for number in lost if batch[number].row is None}:  # others: the bar is there by another date
            _log.warning("the journal no longer has %d served predictions; later requests write them again", len(gone))
            self._known = {key: number for key, number in self._known.items() if number not in gone}
        if len(self._known) > _MOST_KNOWN:
            self._known.clear()

    def _report(self) -> None:
        stats, before = self.stats(), self._observed
        self._observed = stats["written"], stats["dropped"]
        self._observe(stats["written"] - before[0], stats["dropped"] - before[1], stats["waiting"])

    @staticmethod
    def _key(snapshot: Snapshot, kind: Kind, symbol: str) -> Key:
        return kind, snapshot.versions[kind], symbol, snapshot.last_bars[symbol].date.astype("datetime64[ns]")


def _is_complete(snapshot: Snapshot, symbol: str) -> bool:
    """Whether a symbol has bars, and the last one was complete when the snapshot was made."""
    last = snapshot.last_bars.get(symbol)
    return last is not None and close_of(last.schedule, last.date) <= snapshot.loaded
