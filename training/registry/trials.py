"""The trial ledger: everything that was tried in a store, which deflates what the best of it achieved.

``<store>/trials/<hash>.json``, one file a trial, named after what was tried: the same trial counts once, and processes
that add at the same time do not disturb each other. Published versions count without a file; pruning writes one for
each version that it deletes.

A mistaken trial can be removed. It then moves to ``trials/removed/<hash>.json`` with the reason and the time, backtests
mention how many were removed, and it counts again when it is tried again.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any, Literal

from pydantic import ValidationError

from configs.errors import ConfigError, ModelError, StoreError
from configs.values import Frozen, Positive
from features.store.concurrent import in_order
from features.store.store import Store
from training.registry.layout import is_kind, published_versions
from training.validation.significance.judgement import Tried

FOLDER = "trials"
_REMOVED = f"{FOLDER}/removed"
Tries = Literal["study", "version", "backtest"]


class Trial(Frozen):
    """One trial, or ``count`` of them: a study of so many, a version, or a strategy on forecasts.

    ``identity`` is what makes it another one; ``sharpe`` is the annualised ratio of a backtest, None if it has none.
    """

    kind: Tries
    name: str
    identity: Any
    count: Positive = 1
    sharpe: float | None = None

    @property
    def file(self) -> str:
        """The name of its file."""
        text = json.dumps([self.kind, self.identity], sort_keys=True)
        return f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"


class RemovedTrial(Frozen):
    """A trial that no longer counts, and why; ``removed_at`` is an aware ISO time."""

    trial: Trial
    reason: str
    removed_at: str


class TrialLedger:
    """The trials of a store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def add(self, trial: Trial) -> None:
        """Store a trial; a study that was continued replaces its own."""
        self.store.write_json(f"{FOLDER}/{trial.file}", trial.model_dump(mode="json"))

    def trials(self) -> list[Trial]:
        """Return all trials.

        Raises
        ------
        StoreError
            A file is damaged: leaving it out would make luck look like skill.
        """
        names = [name for name in self.store.names(FOLDER) if name.endswith(".json")]
        found = {trial.file: trial for trial in in_order(self.store, self._read, names)}
        for kind in filter(is_kind, self.store.names("models")):
            for version in published_versions(self.store, kind):
                trial = version_trial(kind, version)
                found.setdefault(trial.file, trial)
        return list(found.values())

    def remove(self, file: str, reason: str, now: datetime) -> Trial:
        """Remove a trial from what counts, record the removal, and return the trial.

        Parameters
        ----------
        file
            The name of its file, with or without ``.json``.
        now
            The time, aware.

        Raises
        ------
        ModelError
            There is no such trial, or it is a published version, which counts as long as it exists.
        ConfigError
            There is no reason.
        """
        if not reason.strip():
            raise ConfigError("a trial is removed without a reason. Say why it should not count: --reason TEXT.")
        name = f"{file.removesuffix('.json')}.json"
        stored = [one for one in self.store.names(FOLDER) if one.endswith(".json")]
        if name not in stored:
            published = [one.name for one in self.trials() if one.file == name]
            detail = f"{published[0]} is published and counts as long as it exists" if published else "there is none"
            raise ModelError(
                f"no trial {file!r} can be removed from {self.store.path(FOLDER)!r}: {detail}. "
                "`fleetcast models trials` lists what can."
            )
        trial = self._read(name)
        record = RemovedTrial(trial=trial, reason=reason.strip(), removed_at=now.isoformat())
        self.store.write_json(f"{_REMOVED}/{name}", record.model_dump(mode="json"))  # first: a removal is never silent
        self.store.delete(f"{FOLDER}/{name}")
        return trial

    def removed(self) -> list[RemovedTrial]:
        """Return the trials that were removed and were not tried again since."""
        counted = set(self.store.names(FOLDER))
        names = [one for one in self.store.names(_REMOVED) if one.endswith(".json") and one not in counted]
        return [self._read_removed(f"{_REMOVED}/{name}") for name in names]

    def tried(self) -> Tried:
        """Return the number of trials, and the Sharpe ratios of backtests."""
        trials = self.trials()
        sharpes = sorted(one.sharpe for one in trials if one.sharpe is not None)
        return Tried(sum(one.count for one in trials), tuple(sharpes))

    def _read(self, name: str) -> Trial:
        path = f"{FOLDER}/{name}"
        try:
            trial = Trial.model_validate(self.store.read_json(path))
        except ValidationError as error:
            raise StoreError(f"{self.store.path(path)!r} is not a trial. Restore it from a copy.") from error
        if trial.file != name:
            raise StoreError(f"{self.store.path(path)!r} is another trial's file. Restore it from a copy.")
        return trial

    def _read_removed(self, path: str) -> RemovedTrial:
        try:
            return RemovedTrial.model_validate(self.store.read_json(path))
        except ValidationError as error:
            raise StoreError(f"{self.store.path(path)!r} is not a removed trial. Restore it from a copy.") from error


def version_trial(kind: str, version: str) -> Trial:
    """Return the trial that a published version is."""
    return Trial(kind="version", name=f"{kind} {version}", identity=[kind, version])
