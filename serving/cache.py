"""A bounded cache of the answers to bars that clients sent, keyed by all that decides them."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import fields
from threading import Lock
from typing import Generic, TypeVar

import numpy as np

from features.bars.schema import SymbolBars

V = TypeVar("V")


class LruCache(Generic[V]):
    """Keeps the ``size`` values that were used last; safe to use from several threads."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._values: OrderedDict[Hashable, V] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        """Return how many values are kept."""
        return len(self._values)

    def get(self, key: Hashable) -> V | None:
        """Return a value and mark it as used, or None."""
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key]

    def put(self, key: Hashable, value: V) -> None:
        """Keep a value, and drop the one that was not used for the longest time where there are too many."""
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            if len(self._values) > self.size:
                self._values.popitem(last=False)


def bars_hash(bars: SymbolBars) -> bytes:
    """Return the SHA-256 of all that bars hold."""
    digest = hashlib.sha256()
    for one in fields(bars):
        value = getattr(bars, one.name)
        if isinstance(value, np.ndarray):
            digest.update(np.ascontiguousarray(value).view(np.uint8).data)
        else:
            digest.update(repr(value).encode())
    return digest.digest()
