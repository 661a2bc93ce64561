"""Where the forecasts of a backtest come from: identifiers for the reader, and their scores by window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from training.registry.manifest import Manifest
from training.registry.walk_forwards import KindScores, WalkForwardRun


@dataclass(frozen=True)
class Origin:
    """Identifiers (names, days of creation, hashes, versions of libraries) by title, and the scores by kind of model.

    ``bars`` is the source that was read; empty if it is not known. ``windows`` is empty where no walk-forward run made
    the forecasts.
    """

    facts: Mapping[str, str] = field(default_factory=dict)
    bars: str = ""
    windows: Mapping[str, KindScores] = field(default_factory=dict)

    @classmethod
    def of_run(cls, run: WalkForwardRun) -> Self:
        """Return what a walk-forward run says of itself."""
        facts = {
            "walk-forward run": run.name,
            "run created": run.created,
            "bars": run.bars,
            "hash of the data": run.data_hash,
        }
        return cls(facts, run.bars, run.kinds)

    @classmethod
    def of_manifests(cls, manifests: Sequence[Manifest]) -> Self:
        """Return what the versions say of themselves."""
        facts = dict[str, str]()
        for one in manifests:
            head = f"{one.kind} {one.version}"
            facts[f"{head}, created"] = one.created.isoformat(timespec="seconds")
            facts[f"{head}, hash of the content"] = one.content
            facts[f"{head}, hash of the data"] = one.data_hash
            facts[f"{head}, made with"] = ", ".join(f"{name} {version}" for name, version in one.libraries.items())
        sources = {str(one.config["data"]["bars"]) for one in manifests}
        return cls(facts, ", ".join(sorted(sources)))
