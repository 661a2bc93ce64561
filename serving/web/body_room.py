"""The memory of request bodies: how many bytes they may have together, and which is given up for others."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

MAX_BODIES = 16
"""Bodies of the largest size that fit; most bodies are a thousand times smaller."""

T = TypeVar("T", bound=Hashable)


class BodyRoom(Generic[T]):
    """The bytes of all bodies in memory, and the bodies that are still arriving, the oldest first.

    Parameters
    ----------
    most
        Maximum bytes of all bodies.
    give_up
        Called with the owner of a body that is given up; its bytes are no longer counted.
    """

    def __init__(self, most: int, give_up: Callable[[T], None]) -> None:
        self._most, self._give_up = most, give_up
        self.arriving: dict[T, int] = {}
        """Bytes so far of each body that is not complete."""
        self.bytes = 0

    def add(self, owner: T, count: int) -> bool:
        """Count bytes that arrived, and give up older bodies until all fit; return False if they cannot fit."""
        self.arriving[owner] = self.arriving.get(owner, 0) + count
        self.bytes += count
        while self.bytes > self._most:
            if not self.give_up_oldest(owner):
                return False
        return True

    def give_up_oldest(self, new: T) -> bool:
        """Give up the oldest body that is still arriving, other than the new one; return False if there is none."""
        oldest = next((one for one in self.arriving if one is not new), None)
        if oldest is None:
            return False
        self.remove(oldest)  # before the owner reacts, which may take a turn of the event loop
        self._give_up(oldest)
        return True

    def complete(self, owner: T) -> int:
        """Return the bytes of a body that has arrived; they are counted until :meth:`release`."""
        return self.arriving.pop(owner, 0)

    def remove(self, owner: T) -> None:
        """Count a body that is still arriving no more."""
        self.bytes -= self.arriving.pop(owner, 0)

    def release(self, count: int) -> None:
        """Count the bytes of a complete body no more."""
        self.bytes -= count
