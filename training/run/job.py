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
    ``needs`` is the fit that a block reads, or whose choices a fit repeats. A ``part`` is the part of a pooled fit that
    this job fits alone; ``parts`` are the outputs of such jobs, which the pooled fit takes over.
    In a walk-forward run ``fold`` is the number of its fold, and ``fit`` of a block the prefix of its fitted models,
    which depend on fewer bars than their test. ``plan`` names the job's plan in a queue of several.
    """

    kind: str
    name: str
    output: str
    inputs: tuple[Input, ...]
    needs: str | None = None
    part: str | None = None
    parts: tuple[str, ...] = ()
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
        return self.part is None and self.name not in (TESTED, POOLED)

    @property
    def after(self) -> tuple[str, ...]:
        """The outputs that must be there before this job starts."""
        return self.parts if self.needs is None else (self.needs, *self.parts)

    @property
    def is_tested(self) -> bool:
        """Whether it is, or belongs to, the pooled fit that is tested."""
        return not self.is_block and self.name.startswith(TESTED)

    @property
    def tested(self) -> str:
        """The output of the pooled fit that is tested, which is stored next to this job's."""
        return f"{self.output.rpartition('/')[0]}/{TESTED}"

    @property
    def label(self) -> str:
        """Kind and name, as progress and logs show them."""
        return f"{self.kind}/{self.name}" if self.fold is None else f"{self.kind}/{self.name} of fold {self.fold}"
