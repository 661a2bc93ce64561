"""The aliases of a kind of model: which version is champion, which was champion before, and the history of changes.

Both aliases and their history are one value in one file, so a crash cannot move one without the other. Changes are pure
functions, applied to the file as one atomic update.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Literal

from pydantic import ValidationError

from configs.errors import ModelError, UnreadableError
from configs.values import Frozen
from features.store.sealed import parse_sealed, seal_json
from features.store.store import Store
from training.registry.layout import aliases_path

MAX_HISTORY = 200


class Change(Frozen):
    """One entry of the history: what happened, when (UTC), to which version, and why."""

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
        """Return the aliases with ``version`` as champion, or the same aliases if it is champion already."""
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
        history = (*self.history, change)[-MAX_HISTORY:]
        return Aliases(champion=champion, previous=self.champion, history=history)


def read_aliases(store: Store, kind: str) -> Aliases:
    """Return the aliases of a kind, empty if none were ever set; ``UnreadableError`` if the file is damaged."""
    try:
        return _parsed(store, kind, store.read(aliases_path(kind)))
    except FileNotFoundError:
        return Aliases()


def update_aliases(store: Store, kind: str, change: Callable[[Aliases], Aliases]) -> Aliases:
    """Apply a change to the stored aliases and return the result.

    Read and write are one step of the store, so no concurrent change is lost, even on stores whose locks are leases.
    """
    outcome: list[Aliases] = []

    def apply(data: bytes | None) -> bytes | None:
        before = _parsed(store, kind, data)
        outcome.append(change(before))
        return None if outcome[-1] == before else seal_json(outcome[-1].model_dump(mode="json"))

    store.update(aliases_path(kind), apply)
    return outcome[-1]


def _parsed(store: Store, kind: str, data: bytes | None) -> Aliases:
    try:
        return Aliases() if data is None else Aliases.model_validate(parse_sealed(data)[0])
    except ValueError as error:
        reason = "it does not hold aliases" if isinstance(error, ValidationError) else str(error)
        raise UnreadableError(
            f"{store.path(aliases_path(kind))!r} is damaged or was edited ({reason}). Restore it from a copy, or "
            f"delete it and choose the champion again: `fleetcast models promote VERSION --kind {kind}`."
        ) from error
