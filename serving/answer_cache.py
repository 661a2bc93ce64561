"""A bounded cache of answers to bars that clients sent."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock

from serving.answers import Prediction


class AnswerCache:
    """Keeps the ``size`` answers that were used last (LRU), by all that determines them; thread-safe."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._answers: OrderedDict[Hashable, Prediction] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable) -> Prediction | None:
        """Return an answer and mark it as used, or None."""
        with self._lock:
            if key in self._answers:
                self._answers.move_to_end(key)
            return self._answers.get(key)

    def put(self, key: Hashable, answer: Prediction) -> None:
        """Store an answer, and drop the least recently used one if there are too many."""
        with self._lock:
            self._answers[key] = answer
            self._answers.move_to_end(key)
            if len(self._answers) > self._size:
                self._answers.popitem(last=False)
