"""A job of a run. In a file of its own because the queue, which knows jobs only, must start in a moment."""

from __future__ import annotations

from configs.values import Frozen
from training.registry.block_index import POOLED

__all__ = ["POOLED", "Input", "Job"]

Input = tuple[str, tuple[str, ...]]


class Job(Frozen):
    """One thing a worker does: fit what symbols share (``pooled``) or fit one block.

    ``inputs`` lists staged files with the symbols to take of each; ``output`` is the prefix of the block it writes.
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
