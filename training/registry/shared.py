"""What the blocks of a run share: arrays that lie once in the pooled block beside them, and not in each.

A block names the arrays that it leaves to the pooled block beside it, and that block's SHA-256, so a verified index
also verifies what the block shares.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

from configs.values import Frozen

POOLED = "pooled"
Arrays = Mapping[str, npt.NDArray[Any]]


class Shared(Frozen):
    """Names of arrays that lie in the pooled block of the same folder, and the SHA-256 of that block's arrays."""

    sha256: str
    arrays: tuple[str, ...]

    @classmethod
    def of(cls, sha256: str, ours: Arrays, pooled: Arrays) -> Shared | None:
        """Return what a block has in common, bit for bit, with the pooled one, if anything."""
        same = tuple(sorted(name for name, array in ours.items() if name in pooled and _equal(array, pooled[name])))
        return cls(sha256=sha256, arrays=same) if same else None


def pooled_beside(prefix: str) -> str:
    """Return the prefix of the pooled block in a block's folder, be it a run's or a version's."""
    folder, slash, _ = prefix.rpartition("/")
    return f"{folder}{slash}{POOLED}"


def _equal(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
