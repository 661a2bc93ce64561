"""A job of a run. It has a file of its own so that the queue's process imports little and starts fast."""

from __future__ import annotations

from configs.values import Frozen
from training.registry.block_index import POOLED

__all__ = ["POOLED", "Input", "Job"]

Input = tuple[str, tuple[str, ...]]


class Job(Frozen):
    """A unit of work for one worker: the ``pooled`` fit of what symbols share, or the fit of one block.

    ``inputs`` lists staged files with the symbols to take from each; ``output`` is the prefix of the block it writes.
    """

    kind: str
    name: str
    output: str
    inputs: tuple[Input, ...]
    needs: str | None = None

    @property
    def symbols(self) -> tuple[str, ...]:
        """Symbols of this job, in the order of its inputs."""
        return tuple(symbol for _, symbols in self.inputs for symbol in symbols)

    @property
    def label(self) -> str:
        """Kind and name, as progress and logs show them."""
        return f"{self.kind}/{self.name}"
