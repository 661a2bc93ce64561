"""The follower: watches the store and replaces the state whole when another version or newer bars are there."""

from __future__ import annotations

import logging
import os
import time
from threading import Event, Lock, Thread

from configs.errors import FleetcastError
from configs.operation import ServeConfig
from configs.values import Kind
from features.store.store import Store
from serving.fleets import resolve_versions
from serving.state import Keep, State, build_state, open_market
from training.registry.manager import ModelManager

_RETRY_S, _LONGEST_IMPORT_S = 30.0, 60.0
_EARLIER = 3  # two kinds promoted at once pass through three states
_EARLIER_KEPT_S = 60.0  # all shards have changed over by then, and states are large

_log = logging.getLogger("fleetcast.serving")


class Follower:
    """Holds the state that answers come from, and those ``earlier``, for requests that other shards answer too.

    What cannot be loaded, a corrupt version or a store that is gone, leaves the state as it is; ``problem`` then says
    why. It is tried again every 30 seconds, so that a repaired store is picked up by itself.
    """

    def __init__(
        self, store: Store | str | os.PathLike[str], alias: str, config: ServeConfig, keep: Keep | None = None
    ) -> None:
        self.alias, self.config = alias, config
        self.problem = ""
        self._retired: tuple[tuple[float, State], ...] = ()
        self._manager, self._keep = ModelManager(store), keep
        self._stop, self._lock = Event(), Lock()
        self._seen_stamp, self._moving_since = "", time.monotonic()
        self._refused: tuple[dict[Kind, str], str] | None = None
        self._retry_at = 0.0
        self._thread = Thread(target=self._follow, name="follower", daemon=True)
        self.state = build_state(self._manager, resolve_versions(self._manager, alias), config, keep=keep)

    @property
    def earlier(self) -> tuple[State, ...]:
        """States of before, the latest first."""
        return tuple(state for _, state in self._retired)

    def start(self) -> None:
        """Look every ``config.poll_s`` seconds, in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; one that is loading ends when it has loaded."""
        self._stop.set()

    def refresh(self, settle: bool = False) -> bool:
        """Look once, and return whether there is a new state.

        With ``settle``, bars that changed are read only when a second look finds them unchanged: an import writes
        symbol after symbol.
        """
        with self._lock:
            try:
                return self._look(settle)
            except FleetcastError as error:
                self._note(str(error))
            except Exception as error:  # whatever a damaged file does to its reader, the old state goes on
                _log.exception("the store cannot be read")
                self._note(f"{type(error).__name__}: {error}")
            return False

    def _look(self, settle: bool) -> bool:
        state = self.state
        self._retired = tuple(one for one in self._retired if time.monotonic() - one[0] < _EARLIER_KEPT_S)
        resolved = resolve_versions(self._manager, self.alias)
        gone = [kind for kind in state.versions if kind not in resolved]
        versions = {**state.versions, **resolved}
        stamp = open_market(self._manager.store, state.fleets, self.config, state).stamp()
        if settle and not self._settled(stamp):
            stamp = state.stamp
        if (versions, stamp) == (state.versions, state.stamp):
            self._note(f"{self.alias} names no {' and no '.join(gone)} version any more" if gone else "")
            return False
        if settle and self._refused == (versions, stamp) and time.monotonic() < self._retry_at:
            return False
        self._refused, self._retry_at = (versions, stamp), time.monotonic() + _RETRY_S
        fresh = build_state(self._manager, versions, self.config, state, self._keep, stamp)
        if self._keep is not None:
            self._retired = ((time.monotonic(), state), *self._retired)[:_EARLIER]
        self.state = fresh
        self._refused = None
        self._note("")
        changes = [f"{kind} {version}" for kind, version in versions.items() if state.versions.get(kind) != version]
        _log.info("serving %s on bars of %s", " and ".join(changes) or "newer bars", self.state.last_bar)
        return True

    def _settled(self, stamp: str) -> bool:
        """Whether bars are as the last look found them, or have been changing for so long that it is no import."""
        if stamp in (self.state.stamp, self._seen_stamp):
            self._seen_stamp, self._moving_since = stamp, time.monotonic()
            return True
        self._seen_stamp = stamp
        return time.monotonic() - self._moving_since > _LONGEST_IMPORT_S

    def _note(self, problem: str) -> None:
        if problem and problem != self.problem:
            _log.error("%s; what was loaded before goes on serving", problem)
        self.problem = problem

    def _follow(self) -> None:
        while not self._stop.wait(self.config.poll_s):
            self.refresh(settle=True)
