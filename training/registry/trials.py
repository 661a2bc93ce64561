"""The trial ledger: everything that was tried in a store, which deflates what the best of it achieved.

``<store>/trials/<hash>.json``, one file a trial, named after what was tried: the same trial counts once, and processes
that add at the same time do not disturb each other. Published versions count without a file; pruning writes one for
each version that it deletes.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Literal

from pydantic import ValidationError

from configs.errors import StoreError
from configs.values import Frozen, Positive
from features.store.concurrent import in_order
from features.store.store import Store
from training.registry.layout import is_kind, published_versions
from training.validation.significance.judgement import Tried

FOLDER = "trials"
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


def version_trial(kind: str, version: str) -> Trial:
    """Return the trial that a published version is."""
    return Trial(kind="version", name=f"{kind} {version}", identity=[kind, version])
