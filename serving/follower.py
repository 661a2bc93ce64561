"""The follower: watches the store and replaces the snapshot when there is another version or newer bars (hot swap)."""

from __future__ import annotations

import logging
import os
import time
from threading import Event, Lock, Thread

from configs.errors import FleetcastError
from configs.operation import ServeConfig
from configs.values import Kind
from features.store.store import Store
from serving.answers import KINDS
from serving.fleets import resolve_versions
from serving.snapshot import Snapshot
from serving.snapshot_builder import SymbolFilter, build_snapshot, open_bars
from training.registry.manager import ModelManager

_RETRY_S, _LONGEST_IMPORT_S = 30.0, 60.0
_MAX_PREVIOUS = 3  # two kinds promoted together pass through three snapshots
_PREVIOUS_S = 60.0  # all shards have changed over by then, and snapshots are large

_log = logging.getLogger(__name__)


class Follower:
    """Holds the present ``snapshot``, and the previous ones for requests that several shards answer.

    A version or bars that cannot be read (a corrupt file, an unreachable store) leave the snapshot as it is, with the
    reason in ``problem``. They are tried again every 30 seconds, so a repaired store needs no restart.
    """

    def __init__(
        self, store: Store | str | os.PathLike[str], alias: str, config: ServeConfig, keep: SymbolFilter | None = None
    ) -> None:
        self.alias, self.config = alias, config
        self.problem = ""
        self._retired: tuple[tuple[float, Snapshot], ...] = ()  # with the time of replacement, newest first
        self._manager, self._keep = ModelManager(store), keep
        self._stop, self._lock = Event(), Lock()
        self._last_stamp, self._moving_since = "", time.monotonic()
        self._failed: tuple[dict[Kind, str], str] | None = None
        self._retry_at = 0.0
        self._thread = Thread(target=self._follow, name="follower", daemon=True)
        self.snapshot = build_snapshot(self._manager, resolve_versions(self._manager, alias), config, keep=keep)

    @property
    def previous(self) -> tuple[Snapshot, ...]:
        """The snapshots of the last minute before this one, newest first; none without shards."""
        return tuple(snapshot for _, snapshot in self._retired)

    def start(self) -> None:
        """Start a thread that checks the store every ``config.poll_s`` seconds."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread after the check that it is running."""
        self._stop.set()

    def refresh(self, settle: bool = False) -> bool:
        """Check the store once, and return whether there is a new snapshot.

        With ``settle``, changed bars are read only when the next check finds them unchanged, because an import writes
        symbol after symbol.
        """
        with self._lock:
            try:
                return self._check(settle)
            except FleetcastError as error:
                self._report(str(error))
            except Exception as error:  # a damaged file may raise anything in its reader
                _log.exception("the store cannot be read")
                self._report(f"{type(error).__name__}: {error}")
            return False

    def _check(self, settle: bool) -> bool:
        old = self.snapshot
        self._retired = tuple(retired for retired in self._retired if time.monotonic() - retired[0] < _PREVIOUS_S)
        resolved = resolve_versions(self._manager, self.alias)
        missing = [kind for kind in old.versions if kind not in resolved]
        found = {**old.versions, **resolved}
        versions = {kind: found[kind] for kind in KINDS if kind in found}
        stamp = open_bars(self._manager.store, old.fleets, self.config, old).stamp()
        if settle and not self._settled(stamp):
            stamp = old.bars_stamp
        if (versions, stamp) == (old.versions, old.bars_stamp):
            self._report(f"{self.alias} no longer names a version of {' or '.join(missing)}" if missing else "")
            return False
        if settle and self._failed == (versions, stamp) and time.monotonic() < self._retry_at:
            return False
        self._failed, self._retry_at = (versions, stamp), time.monotonic() + _RETRY_S
        new = build_snapshot(self._manager, versions, self.config, old, self._keep, stamp)
        if self._keep is not None:
            self._retired = ((time.monotonic(), old), *self._retired)[:_MAX_PREVIOUS]
        self.snapshot = new
        self._failed = None
        self._report("")
        changes = [f"{kind} {version}" for kind, version in versions.items() if old.versions.get(kind) != version]
        _log.info("serving %s, bars up to %s", " and ".join(changes) or "newer bars", new.newest_date)
        return True

    def _settled(self, stamp: str) -> bool:
        """Return whether bars are unchanged since the last check, or have changed for longer than an import takes."""
        if stamp in (self.snapshot.bars_stamp, self._last_stamp):
            self._last_stamp, self._moving_since = stamp, time.monotonic()
            return True
        self._last_stamp = stamp
        return time.monotonic() - self._moving_since > _LONGEST_IMPORT_S

    def _report(self, problem: str) -> None:
        if problem and problem != self.problem:
            _log.error("%s; the snapshot loaded before stays in service", problem)
        self.problem = problem

    def _follow(self) -> None:
        while not self._stop.wait(self.config.poll_s):
            self.refresh(settle=True)
