"""A job of a run. It has a file of its own so that the queue's process imports little and starts fast."""

from __future__ import annotations

from configs.values import Frozen
from training.registry.block_index import POOLED

__all__ = ["POOLED", "TESTED", "Input", "Job"]

TESTED = "tested"  # the pooled fit that the test period judges, where a later one is published

Input = tuple[str, tuple[str, ...]]


class Job(Frozen):
    """A unit of work for one worker: a fit of what symbols share (``tested``, ``pooled``), or the fit of one block.

    ``inputs`` lists staged files with the symbols to take from each; ``output`` is the prefix of the block it writes.
    In a walk-forward run ``fold`` is the number of its fold, and ``fit`` of a block the prefix of its fitted models,
    which depend on fewer bars than their test. ``plan`` names the job's plan in a queue of several.
    """

    kind: str
    name: str
    output: str
    inputs: tuple[Input, ...]
    needs: str | None = None
    fold: int | None = None
    fit: str | None = None
    plan: str | None = None

    @property
    def symbols(self) -> tuple[str, ...]:
        """Symbols of this job, in the order of its inputs."""
        return tuple(symbol for _, symbols in self.inputs for symbol in symbols)

    @property
    def is_block(self) -> bool:
        """Whether it fits a block of symbols."""
        return self.name not in (TESTED, POOLED)

    @property
    def tested(self) -> str:
        """The output of the pooled fit that is tested, which is stored next to this job's."""
        return f"{self.output.rpartition('/')[0]}/{TESTED}"

    @property
    def label(self) -> str:
        """Kind and name, as progress and logs show them."""
        return f"{self.kind}/{self.name}" if self.fold is None else f"{self.kind}/{self.name} of fold {self.fold}"
