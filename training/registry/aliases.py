"""The aliases of a kind: which version is champion, which was before it, and how that came about.

Both aliases and their history are one value in one file, so no crash can move one without the other. The changes are
pure functions; the registry reads, applies and replaces the file while it holds the kind's lock.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from configs.errors import ModelError
from configs.values import Frozen

HISTORY_KEPT = 200


class Change(Frozen):
    """One line of the history: what happened, when (UTC), to which version, and why."""

    at: datetime
    action: Literal["promote", "rollback"]
    champion: str
    previous: str | None
    reason: str


class Aliases(Frozen):
    """The aliases of one kind; the newest change comes last."""

    champion: str | None = None
    previous: str | None = None
    history: tuple[Change, ...] = ()

    def named(self) -> dict[str, str]:
        """Return alias → version for the aliases that are set."""
        pairs = (("champion", self.champion), ("previous", self.previous))
        return {name: version for name, version in pairs if version is not None}

    def promoted(self, version: str, reason: str, at: datetime) -> Aliases:
        """Return the aliases with ``version`` as champion; the same aliases if it is already."""
        if version == self.champion:
            return self
        return self._moved(version, "promote", reason, at)

    def rolled_back(self, reason: str, at: datetime) -> Aliases:
        """Return the aliases with champion and previous swapped.

        Raises
        ------
        ModelError
            There is no previous champion.
        """
        if self.previous is None:
            raise ModelError(
                f"there is no previous champion to roll back to (champion: {self.champion or 'none'}). "
                "Choose a version with `fleetcast models promote VERSION`."
            )
        return self._moved(self.previous, "rollback", reason, at)

    def _moved(self, champion: str, action: Literal["promote", "rollback"], reason: str, at: datetime) -> Aliases:
        change = Change(at=at, action=action, champion=champion, previous=self.champion, reason=reason)
        history = (*self.history, change)[-HISTORY_KEPT:]
        return Aliases(champion=champion, previous=self.champion, history=history)
